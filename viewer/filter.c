// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "filter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// "4k", "2M", "0x100"; the end of it in *end, NULL when there is no number.
static const char *number(const char *s, uint64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return NULL;
	*value = strtoull(s, &end, 0);
	switch (*end) {
	case 'k':
	case 'K':
		*value <<= 10;
		return end + 1;
	case 'm':
	case 'M':
		*value <<= 20;
		return end + 1;
	default:
		return end;
	}
}

// "a-b" or "a" alone
static bool range(const char *s, uint64_t *from, uint64_t *to)
{
	const char *end = number(s, from);

	*to = *from;
	if (end && *end == '-')
		end = number(end + 1, to);
	return end && !*end;
}

static bool whole(const char *s, int *value)
{
	uint64_t from, to;

	if (!range(s, &from, &to) || from > INT32_MAX)
		return false;
	*value = (int)from;
	return true;
}

static bool size_word(const char *s, struct event_filter *f)
{
	char op = *s++;
	bool same = *s == '=';
	uint64_t n;
	const char *end;

	if (op == ':')
		return range(s, &f->least, &f->most);
	end = number(s + same, &n);
	if (!end || *end)
		return false;
	if (op == '>')
		f->least = same ? n : n + 1;
	else
		f->most = same || !n ? n : n - 1;
	return true;
}

static int call_of(const char *word)
{
	for (int k = EV_NONE + 1; k < EV_LAST_OP; k++)
		if (!strcasecmp(word, event_name((enum event_kind)k)))
			return k;
	return -1;
}

static int path_of(const char *word)
{
	for (int p = PATH_NONE + 1; p < PATH_COUNT; p++)
		if (!strcasecmp(word, op_path_name((enum op_path)p)))
			return p;
	return -1;
}

static bool set_function(const char *name, struct event_filter *f)
{
	if (strlen(name) >= sizeof(f->function))
		return false;
	strcpy(f->function, name);
	return *name;
}

static bool set_gfp(const char *name, struct event_filter *f)
{
	if (strlen(name) >= sizeof(f->gfp))
		return false;
	strcpy(f->gfp, name);
	return *name;
}

static int zone_of(const char *word)
{
	for (int z = 0; z < MAX_NR_ZONES; z++)
		if (!strcasecmp(word, zone_names[z]))
			return z;
	return -1;
}

static const char *after(const char *word, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncasecmp(word, prefix, n) ? NULL : word + n;
}

static bool parse_word(const char *word, struct event_filter *f)
{
	const char *v;
	uint64_t n, m;

	if ((v = after(word, "size")) && (*v == ':' || *v == '<' || *v == '>'))
		return size_word(v, f);
	if ((v = after(word, "path:")))
		return (f->path = path_of(v)) >= 0;
	if ((v = after(word, "zone:")))
		return (f->zone = zone_of(v)) >= 0;
	if ((v = after(word, "gfp:")))
		return set_gfp(v, f);
	if ((v = after(word, "thread:")))
		return whole(v, &f->thread);
	if ((v = after(word, "cpu:")))
		return whole(v, &f->cpu);
	if ((v = after(word, "process:")))
		return whole(v, &f->process);
	if ((v = after(word, "addr:")))
		return range(v, &f->first, &f->last);
	if ((v = after(word, "events:")))
		return range(v, &f->begin, &f->end);
	if ((v = after(word, "stack:"))) {
		if (!range(v, &n, &m) || !n || n > UINT32_MAX)
			return false;
		f->stack = (uint32_t)n;
		return true;
	}
	if ((v = after(word, "func:")))
		return set_function(v, f);
	if (!strcasecmp(word, "failed"))
		return f->failed = true;
	f->kind = call_of(word) >= 0 ? call_of(word) : f->kind;
	return call_of(word) >= 0 || (!strchr(word, ':') && set_function(word, f));
}

bool filter_parse(const char *text, struct event_filter *f, char *err, size_t size)
{
	char copy[512], *save = NULL;

	event_filter_init(f);
	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, size, "the filter is too long");
		return false;
	}
	strcpy(copy, text);
	for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
		if (!parse_word(w, f)) {
			snprintf(err, size,
				 "\"%.60s\" is not understood: try malloc, size>4k, path:vmalloc, "
				 "thread:2, zone:Normal, failed, stack:17 or a function's name",
				 w);
			return false;
		}
	return true;
}
