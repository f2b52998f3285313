// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vectors FILE...: replays vector files (plain or .gz) and prints `FILE ops=N mismatches=M`.
#include "vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

enum {
	SHOWN = 5
}; // differences printed per file

static const struct {
	const char *topic;
	void (*run)(struct vectors *v);
} topics[] = {
	{"bootstages", vectors_boot_stages}, {"buddy", vectors_buddy},
	{"exhaust", vectors_buddy},	     {"zones", vectors_zones},
	{"memblock", vectors_memblock},	     {"slabgeom", vectors_slabgeom},
	{"kmalloc", vectors_kmalloc},	     {"slabseq", vectors_slabseq},
	{"vmalloc", vectors_vmalloc},	     {"kmap", vectors_kmap},
	{"mempool", vectors_mempool},	     {"percpu", vectors_percpu},
};

const char *vectors_line(struct vectors *v)
{
	while (*v->next) {
		char *line = v->next, *end = strchr(line, '\n');

		v->next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		v->line++;
		if (*line == '#' || !*line)
			continue;
		v->ops++;
		return line;
	}
	return NULL;
}

void vectors_mismatch(struct vectors *v, const char *line, const char *fmt, ...)
{
	va_list ap;

	if (v->mismatches++ >= SHOWN)
		return;
	fprintf(stderr, "%s:%lu: ", v->file, v->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n    %.160s\n", line);
}

static const char *header_value(const struct vectors *v, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = v->header; (p = strstr(p, key)); p += n)
		if (p > v->header && p[-1] == ' ' && p[n] == '=')
			return p + n + 1;
	return NULL;
}

long long vectors_header(const struct vectors *v, const char *key, int base)
{
	const char *value = header_value(v, key);

	return value ? strtoll(value, NULL, base) : -1;
}

bool vectors_header_is(const struct vectors *v, const char *key, const char *value)
{
	const char *got = header_value(v, key);
	size_t n = strlen(value);

	return got && !strncmp(got, value, n) && (!got[n] || got[n] == ' ');
}

// ---- machines ----

// The machine's size and CPUs are told; what vmalloc= was follows from where lowmem ends.
void vectors_config(const struct vectors *v, struct machine_config *cfg)
{
	const int64_t vmalloc_end_pfn = 260094, hole = 8 << 20;
	int64_t max_pfn = vectors_header(v, "highend_pfn", 10);
	int64_t max_low = vectors_header(v, "max_low_pfn", 10);

	machine_config_default(cfg, MODEL_3_4, (max_pfn > 0 ? max_pfn : 1 << 18) << PAGE_SHIFT,
			       vectors_header(v, "cpus_online", 10));
	cfg->smp = !vectors_header_is(v, "config", "UP");
	if (vectors_header(v, "cache_line", 10) > 0)
		cfg->cache_line = vectors_header(v, "cache_line", 10);
	cfg->kernel_bytes = 0x364000; // of that kernel
	if (max_low > 0 && max_low < max_pfn && max_low != 227326)
		cfg->vmalloc_bytes = ((vmalloc_end_pfn - max_low) << PAGE_SHIFT) - hole;
}

int vectors_boot(struct vectors *v, struct machine *m, const struct machine_config *cfg)
{
	static void *memory;
	static size_t size;
	const char *why = "";

	if (memory)
		munmap(memory, size);
	size = machine_size(cfg);
	memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		memory = NULL;
		vectors_mismatch(v, v->header, "no memory for a machine");
		return -1;
	}
	if (machine_boot(m, memory, cfg, &why)) {
		vectors_mismatch(v, v->header, "the machine does not boot: %s", why);
		return -1;
	}
	return 0;
}

int vectors_machine(struct vectors *v, struct machine *m)
{
	struct machine_config cfg;

	vectors_config(v, &cfg);
	return vectors_boot(v, m, &cfg);
}

// ---- files ----

static char *read_all(const char *path)
{
	gzFile f = gzopen(path, "rb");
	size_t size = 0, room = 1 << 20;
	char *text = malloc(room);
	int n = 0;

	while (f && text && (n = gzread(f, text + size, room - size - 1)) > 0) {
		size += n;
		if (size + 1 == room)
			text = realloc(text, room *= 2);
	}
	if (!f || !text || n < 0) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(text);
		text = NULL;
	} else {
		text[size] = 0;
	}
	if (f)
		gzclose(f);
	return text;
}

static bool run_topic(struct vectors *v)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (!vectors_header_is(v, "topic", topics[i].topic))
			continue;
		topics[i].run(v);
		return true;
	}
	printf("%s: topic not implemented\n", v->file);
	return false;
}

static bool run_file(const char *path)
{
	struct vectors v = {.file = path};
	const char *header;
	bool ok;

	v.next = v.text = read_all(path);
	if (!v.text)
		return false;
	header = vectors_line(&v);
	snprintf(v.header, sizeof(v.header), "%s", header ? header : "");
	v.ops = 0;
	ok = run_topic(&v);
	if (ok)
		printf("%s ops=%lu mismatches=%lu\n", path, v.ops, v.mismatches);
	// A file that made nobody do anything proves nothing.
	ok = ok && v.ops && !v.mismatches;
	free(v.text);
	return ok;
}

int main(int argc, char **argv)
{
	bool ok = argc > 1;

	for (int i = 1; i < argc; i++) {
		ok &= run_file(argv[i]);
		fflush(stdout);
	}
	return ok ? 0 : 1;
}
