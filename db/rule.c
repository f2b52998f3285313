// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Conditions about figures: "peak_bytes<=64M", "leaked_bytes>+1%".
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "figures.h"

static const char *skip_blanks(const char *t)
{
	return t + strspn(t, " \t");
}

static unsigned find_figure(const char *command, const char *name)
{
	for (unsigned i = 0; figures[i].name; i++)
		if (!strcmp(figures[i].name, name))
			return i;
	cli_unknown(command, "figure", name, figure_name, NULL);
}

// Longer operators first: "<=" begins like "<".
static const char *read_operator(const char *t, char op[3])
{
	static const char *const ops[] = {"<=", ">=", "==", "!=", "<", ">"};
	for (unsigned i = 0; i < G_N_ELEMENTS(ops); i++)
		if (g_str_has_prefix(t, ops[i])) {
			g_strlcpy(op, ops[i], 3);
			return t + strlen(ops[i]);
		}
	return NULL;
}

static double unit_of(char letter)
{
	switch (letter) {
	case 'K':
	case 'k':
		return 1024;
	case 'M':
	case 'm':
		return 1024.0 * 1024;
	case 'G':
	case 'g':
		return 1024.0 * 1024 * 1024;
	default:
		return 0;
	}
}

// "64M", "1.5%", "+10": false when something else follows.
static bool read_value(struct rule *r, const char *t)
{
	char *end;
	r->change = *t == '+' || *t == '-';
	if (!strchr("0123456789.", t[r->change]) || !t[r->change])
		return false;
	r->value = g_ascii_strtod(t, &end);
	if (unit_of(*end) > 0)
		r->value *= unit_of(*end++);
	else if (*end == '%')
		r->percent = *end++;
	return !*skip_blanks(end) && isfinite(r->value);
}

struct rule rule_parse(const char *command, const char *option, const char *text, bool changes)
{
	struct rule r = {.text = text};
	const char *t = skip_blanks(text);
	size_t n = strspn(t, "abcdefghijklmnopqrstuvwxyz_0123456789");
	g_autofree char *name = g_strndup(t, n);
	const char *value = read_operator(skip_blanks(t + n), r.op);
	if (!n || !value)
		cli_usage(
			command,
			"%s '%s': expected FIGURE OPERATOR VALUE, as 'peak_bytes<=64M'; operators: "
			"< <= > >= == !=",
			option, text);
	r.figure = find_figure(command, name);
	if (!read_value(&r, skip_blanks(value)))
		cli_usage(command,
			  "%s '%s': '%s' is not a value: a number, with K, M, G or %% behind it%s",
			  option, text, skip_blanks(value),
			  changes ? "; with + or - before it a change" : "");
	if (r.change && !changes)
		cli_usage(command,
			  "%s '%s': a change needs another recording: see 'kalloscope diff'",
			  option, text);
	if (r.percent && !r.change && figures[r.figure].unit != UNIT_SHARE)
		cli_usage(command, "%s '%s': %s is no share; a percentage of it needs + or -%s",
			  option, text, name, changes ? "" : ", and 'kalloscope diff'");
	return r;
}

// From nothing, any growth is more than any percentage.
static double change(const struct rule *r, double before, double now)
{
	if (!r->percent || figures[r->figure].unit == UNIT_SHARE)
		return now - before; // of shares: percentage points
	if (before > 0)
		return 100 * (now - before) / before;
	return now > before ? INFINITY : 0;
}

bool rule_holds(const struct rule *r, double before, double now)
{
	double v = r->change ? change(r, before, now) : now;
	switch (r->op[0]) {
	case '<':
		return r->op[1] ? v <= r->value : v < r->value;
	case '>':
		return r->op[1] ? v >= r->value : v > r->value;
	case '=':
		return v == r->value;
	default:
		return v != r->value;
	}
}
