// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "format.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct text64 fmt_count(uint64_t n)
{
	struct text64 t, plain;
	int len = snprintf(plain.s, sizeof(plain.s), "%" PRIu64, n), out = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			t.s[out++] = ',';
		t.s[out++] = plain.s[i];
	}
	t.s[out] = 0;
	return t;
}

struct text64 fmt_bytes(uint64_t bytes)
{
	static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
	struct text64 t;
	double v = (double)bytes / 1024;
	unsigned u = 0;

	if (bytes < 1024) {
		snprintf(t.s, sizeof(t.s), "%u B", (unsigned)bytes);
		return t;
	}
	while (v >= 1024 && u < 3) {
		v /= 1024;
		u++;
	}
	snprintf(t.s, sizeof(t.s), v == floor(v) || v >= 1000 ? "%.0f %s" : "%.1f %s", v, unit[u]);
	return t;
}

struct text64 fmt_pages(uint64_t pages)
{
	struct text64 t;

	snprintf(t.s, sizeof(t.s), "%.24s %s · %.24s", fmt_count(pages).s,
		 pages == 1 ? "page" : "pages", fmt_bytes(pages << 12).s);
	return t;
}

struct text64 fmt_time(int64_t ns)
{
	struct text64 t;
	double s = (double)ns / 1e9;
	int64_t whole = ns / 1000000000;

	if (s < 1e-3 && s > -1e-3)
		snprintf(t.s, sizeof(t.s), "%.1f µs", (double)ns / 1e3);
	else if (s < 1 && s > -1)
		snprintf(t.s, sizeof(t.s), "%.3f ms", (double)ns / 1e6);
	else if (s < 3600)
		snprintf(t.s, sizeof(t.s), "%.3f s", s);
	else
		snprintf(t.s, sizeof(t.s), "%" PRId64 ":%02d:%02d", whole / 3600,
			 (int)(whole / 60 % 60), (int)(whole % 60));
	return t;
}

struct text64 fmt_time_exact(int64_t ns)
{
	struct text64 t;

	snprintf(t.s, sizeof(t.s), "%.6f s", (double)ns / 1e9);
	return t;
}

struct text64 fmt_share(uint64_t part, uint64_t whole)
{
	struct text64 t;

	snprintf(t.s, sizeof(t.s), "%.1f %%", whole ? 100.0 * (double)part / (double)whole : 0.0);
	return t;
}

static bool whole_number(const char *text, int base, uint64_t *value)
{
	char *end;

	if (!isxdigit((unsigned char)*text))
		return false;
	*value = strtoull(text, &end, base);
	return !*end;
}

static bool parse_time(const char *text, uint64_t *ns)
{
	char *end;
	double v;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return false;
	v = strtod(text, &end);
	while (*end == ' ')
		end++;
	if (!strcmp(end, "s"))
		v *= 1e9;
	else if (!strcmp(end, "ms"))
		v *= 1e6;
	else if (!strcmp(end, "us") || !strcmp(end, "µs"))
		v *= 1e3;
	else
		return false;
	if (!(v >= 0 && v < 1e18))
		return false;
	*ns = (uint64_t)v;
	return true;
}

bool position_parse(const char *text, struct position *p)
{
	static const struct {
		const char *name;
		enum position_kind kind;
	} names[] = {{"start", POSITION_START},
		     {"boot", POSITION_START},
		     {"peak", POSITION_PEAK},
		     {"end", POSITION_END}};

	while (*text == ' ')
		text++;
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcasecmp(text, names[i].name)) {
			*p = (struct position){names[i].kind, 0};
			return true;
		}
	if (*text == '#') {
		p->kind = POSITION_EVENT;
		return whole_number(text + 1, 10, &p->value);
	}
	if (!strncasecmp(text, "pfn:", 4)) {
		p->kind = POSITION_PFN;
		return whole_number(text + 4, 16, &p->value);
	}
	if (!strncasecmp(text, "0x", 2)) {
		p->kind = POSITION_ADDRESS;
		return whole_number(text + 2, 16, &p->value);
	}
	p->kind = POSITION_TIME;
	if (parse_time(text, &p->value))
		return true;
	p->kind = POSITION_EVENT;
	return whole_number(text, 10, &p->value);
}
