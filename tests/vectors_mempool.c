// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topic mempool: a pool over an allocator that counts 1, 2, 3 ... or fails as told.
// Each line is printed again from what our pool did and must be the same line.
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/mempool.h"

struct script {
	char text[4096]; // the line as we would print it
	size_t len;
	bool fail; // what the next calls into the allocator do
	kaddr_t next;
};

static void say(struct script *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (s->len < sizeof(s->text)) // a longer line cannot be equal
		s->len += vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
}

static kaddr_t scripted_alloc(struct machine *m, gfp_t gfp, uint32_t data, void *priv)
{
	struct script *s = priv;

	(void)m;
	(void)gfp;
	(void)data;
	if (s->fail) {
		say(s, " under=fail");
		return 0;
	}
	say(s, " under=alloc:%u", s->next);
	return s->next++;
}

static void scripted_free(struct machine *m, kaddr_t element, uint32_t data, void *priv)
{
	(void)m;
	(void)data;
	say(priv, " under=free:%u", element);
}

static void state_line(const struct mempool *pool, struct script *s)
{
	say(s, "state min_nr=%u curr_nr=%u elements(bottom..top)=", pool->min_nr, pool->curr_nr);
	for (uint32_t i = 0; i < pool->curr_nr; i++)
		say(s, "%s%u", i ? "," : "", pool->element[i]);
}

static bool gfp_of(const char *name, gfp_t *gfp)
{
	static const struct {
		const char *name;
		gfp_t gfp;
	} known[] = {
		{"GFP_KERNEL", GFP_KERNEL}, {"GFP_ATOMIC", GFP_ATOMIC}, {"GFP_NOWAIT", GFP_NOWAIT},
		{"GFP_NOIO", GFP_NOIO},	    {"GFP_NOFS", GFP_NOFS},	{"GFP_USER", GFP_USER},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(name, known[i].name)) {
			*gfp = known[i].gfp;
			return true;
		}
	return false;
}

static bool replay(struct machine *m, struct mempool *pool, struct script *s, const char *line)
{
	const struct mempool_backend backend = {scripted_alloc, scripted_free, s};
	unsigned a, b;
	char gfp[32];
	gfp_t mask;

	s->len = 0;
	s->fail = strstr(line, "under=fail") != NULL;
	if (sscanf(line, "create min_nr=%u", &a) == 1) {
		s->next = 1;
		say(s, "create min_nr=%u", a);
		mempool_create(m, pool, a, &backend, 0);
	} else if (sscanf(line, "alloc slot=%u gfp=%31s", &a, gfp) == 2) {
		say(s, "alloc slot=%u gfp=%s", a, gfp);
		if (!gfp_of(gfp, &mask))
			return false;
		b = mempool_alloc(m, pool, &backend, mask);
		say(s, " -> %u curr_nr=%u", b, pool->curr_nr);
	} else if (sscanf(line, "free slot=%u elem=%u", &a, &b) == 2) {
		say(s, "free slot=%u elem=%u", a, b);
		mempool_free(m, pool, &backend, b);
		say(s, " curr_nr=%u", pool->curr_nr);
	} else if (sscanf(line, "resize new_min=%u", &a) == 1) {
		say(s, "resize new_min=%u", a);
		b = mempool_resize(m, pool, &backend, a);
		say(s, " ret=%d", (int)b);
	} else if (starts(line, "state ")) {
		state_line(pool, s);
	} else if (starts(line, "destroy")) {
		say(s, "destroy");
		mempool_destroy(m, pool, &backend);
	} else {
		return false;
	}
	return true;
}

void vectors_mempool(struct vectors *v)
{
	static struct mempool pool;
	static struct script s;
	struct machine m;
	const char *line;

	if (vectors_machine(v, &m))
		return;
	pool = (struct mempool){0}; // the last file's was in the last file's machine
	while ((line = vectors_line(v))) {
		if (starts(line, "=== events"))
			continue;
		read_whole(v, line);
		if (!replay(&m, &pool, &s, line))
			vectors_mismatch(v, line, "not understood");
		else if (strcmp(s.text, line))
			vectors_mismatch(v, line, "%.200s", s.text);
	}
}
