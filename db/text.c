// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts of the stream: assembled from 20-byte pieces per ring, then put where they belong.
//
//   MODULE       START END VADDR BUILD-ID PATH      addresses in hexadecimal, build id or "-"
//   MODULE_GONE  START IMAGE                        the module at START is gone (0: all of them
//                                                   are); stacks belong to image IMAGE from now on
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inserter.h"

enum {
	PIECE = 20,
	MODULES_MAX = 8192
};

struct module_row {
	uint64_t start, end, vaddr;
	char build[72];
	char *path;
};

struct module_set { // of the process' current image
	size_t n;
	uint32_t image;
	struct module_row row[MODULES_MAX];
};

static struct module_set *modules_of(struct proc *p)
{
	if (!p->modules) {
		p->modules = calloc(1, sizeof(*p->modules));
		if (p->modules)
			p->modules->image = p->slot.image;
	}
	return p->modules;
}

void text_finish(struct proc *p)
{
	for (size_t i = 0; p->modules && i < p->modules->n; i++)
		free(p->modules->row[i].path);
	free(p->modules);
	p->modules = NULL;
}

static void module_insert(struct proc *p, const struct module_row *m)
{
	bool build = strcmp(m->build, "-") != 0;

	store_run(p->ins, ST_MODULE, "iiiissiii", (int64_t)++p->ins->modules, (int64_t)p->number,
		  (int64_t)p->modules->image, (int64_t)p->ins->events, m->path,
		  build ? m->build : NULL, (int64_t)(m->start - m->vaddr), (int64_t)m->start,
		  (int64_t)m->end);
	naming_exec(p->ins,
		    "INSERT INTO module(module, image, path, build_id, base, start, \"end\")"
		    " VALUES(%lld,%u,%Q,%Q,%lld,%lld,%lld)",
		    (long long)p->ins->modules, p->modules->image, m->path, build ? m->build : NULL,
		    (long long)(m->start - m->vaddr), (long long)m->start, (long long)m->end);
}

static void text_module(struct proc *p, const char *text)
{
	struct module_set *set = modules_of(p);
	struct module_row m = {0};
	int path = 0;

	if (!set || set->n == MODULES_MAX ||
	    sscanf(text, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %71s %n", &m.start, &m.end, &m.vaddr,
		   m.build, &path) != 4 ||
	    !path)
		return;
	m.path = strdup(text + path);
	if (!m.path)
		return;
	set->row[set->n++] = m;
	module_insert(p, &m);
}

// Rows of an image are complete in themselves: the modules that stay are told again for the new
// one. A second loss within the same image takes back the row made at the first.
static void text_module_gone(struct proc *p, const char *text)
{
	struct module_set *set = modules_of(p);
	uint64_t start;
	uint32_t image;
	size_t kept = 0;

	if (!set || sscanf(text, "%" SCNx64 " %" SCNu32, &start, &image) != 2)
		return;
	for (size_t i = 0; i < set->n; i++) {
		if (start && set->row[i].start != start)
			set->row[kept++] = set->row[i];
		else
			free(set->row[i].path);
	}
	set->n = kept;
	if (image == set->image) {
		char *sql = sqlite3_mprintf("DELETE FROM module WHERE image=%u AND start=%lld",
					    image, (long long)start);
		store_exec(p->ins, sql);
		naming_exec(p->ins, "%s", sql);
		sqlite3_free(sql);
		return;
	}
	set->image = image;
	for (size_t i = 0; i < set->n; i++)
		module_insert(p, &set->row[i]);
}

// Arguments come with zero bytes between them.
static void text_argv(struct proc *p, const char *text, size_t len)
{
	size_t n = len < sizeof(p->argv) - 1 ? len : sizeof(p->argv) - 1;

	while (n && !text[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		p->argv[i] = text[i] ? text[i] : '\n';
	p->argv[n] = 0;
	p->dirty = true;
}

static void text_done(struct proc *p, struct ring_queue *q, enum text_what what)
{
	const char *text = q->text;

	q->text[q->text_len] = 0;
	switch (what) {
	case TEXT_MODULE:
		text_module(p, text);
		break;
	case TEXT_MODULE_GONE:
		text_module_gone(p, text);
		break;
	case TEXT_ARGV:
		text_argv(p, text, q->text_len);
		break;
	case TEXT_EXE:
		snprintf(p->exe, sizeof(p->exe), "%.*s", (int)sizeof(p->exe) - 1, text);
		p->dirty = true;
		break;
	case TEXT_THREAD_NAME:
		snprintf(q->thread_name, sizeof(q->thread_name), "%.*s",
			 (int)sizeof(q->thread_name) - 1, text);
		break;
	case TEXT_POOL:
		snprintf(q->pool_name, sizeof(q->pool_name), "%.*s", (int)sizeof(q->pool_name) - 1,
			 text);
		break;
	case TEXT_MARK:
		free(q->mark);
		q->mark = strdup(text);
		break;
	default:
		break;
	}
}

void text_record(struct proc *p, struct ring_queue *q, const struct record *r)
{
	size_t len = r->arg[0] >> 16, room = sizeof(q->text) - 1 - q->text_len;

	len = len > PIECE ? PIECE : len;
	memcpy(q->text + q->text_len, &r->arg[1], len < room ? len : room);
	q->text_len += len < room ? len : room;
	if (len == PIECE)
		return;
	text_done(p, q, (enum text_what)(r->arg[0] & 0xffff));
	q->text_len = 0;
}
