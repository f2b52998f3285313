// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Helpers of the subcommands: formats, moments, and where our other parts are installed.
#include "cli.h"

#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/version.h"

enum {
	PROGRESS_US = 300 * 1000, // quicker passes say nothing
};

struct recording *cli_open(const char *path)
{
	enum recording_error code;
	char err[512];
	struct recording *r = recording_open(path, &code, err, sizeof(err));
	if (!r)
		cli_error("%s", err);
	return r;
}

// Nanoseconds of a unit; 0: there is no such unit.
static double unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}};
	for (unsigned i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(units[i].name, unit))
			return units[i].ns;
	return 0;
}

// A bare number is an event, a number with a unit a time: "#3.2s" is neither.
bool cli_parse_at(const char *text, struct cli_at *at)
{
	const char *digits = text + (*text == '#');
	char *end;
	if (!strcmp(text, "end")) {
		*at = (struct cli_at){.kind = AT_END};
		return true;
	}
	if (!strncmp(text, "mark:", 5) && text[5]) {
		*at = (struct cli_at){.kind = AT_MARK, .mark = text + 5};
		return true;
	}
	if (*digits < '0' || *digits > '9')
		return false;
	*at = (struct cli_at){.kind = AT_EVENT, .event = strtoull(digits, &end, 10)};
	if (!*end)
		return true;
	double value = strtod(text, &end), ns = value * unit_ns(end);
	*at = (struct cli_at){.kind = AT_TIME, .ns = ns < 9e18 ? (int64_t)ns : INT64_MAX};
	return *text != '#' && unit_ns(end) > 0;
}

// The mark's own event: the one behind that which was the last before it.
static uint64_t mark_event(struct recording *r, const char *text)
{
	sqlite3_stmt *s = NULL;
	int64_t event = -1;
	sqlite3_prepare_v2(recording_db(r),
			   "SELECT event FROM mark WHERE substr(text, 1, length(?1)) = ?1"
			   " ORDER BY rowid LIMIT 1",
			   -1, &s, NULL);
	sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
	if (s && sqlite3_step(s) == SQLITE_ROW)
		event = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	if (event >= 0)
		return (uint64_t)event;
	cli_error("the recording has no mark '%s'; 'kalloscope report marks' lists those it has",
		  text);
	exit(EXIT_USAGE);
}

uint64_t cli_at_event(struct recording *r, const struct cli_at *at)
{
	switch (at->kind) {
	case AT_EVENT:
		return at->event;
	case AT_TIME:
		return recording_event_at(r, at->ns);
	case AT_MARK:
		return mark_event(r, at->mark);
	default:
		return recording_events(r);
	}
}

// One of a few static buffers, so that one printf can take several of the texts.
static char *buffer(void)
{
	static char buf[8][48];
	static unsigned next;
	return buf[next++ & 7];
}

// Three significant digits: what fits a column and what eyes take in.
const char *fmt_bytes(uint64_t bytes)
{
	static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	char *b = buffer();
	double v = (double)bytes / 1024;
	int u = 0;
	if (bytes < 1024) {
		snprintf(b, 48, "%u B", (unsigned)bytes);
		return b;
	}
	for (; v >= 1024 && u < 5; u++)
		v /= 1024;
	snprintf(b, 48, v < 10 ? "%.2f %s" : v < 100 ? "%.1f %s" : "%.0f %s", v, unit[u]);
	return b;
}

const char *fmt_count(uint64_t n)
{
	char digits[24], *b = buffer(), *out = b;
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = 0;
	return b;
}

char *fmt_line(const char *text, size_t columns)
{
	char *line = g_utf8_make_valid(text, -1);
	for (char *c = line; *c; c = g_utf8_next_char(c))
		if (g_ascii_iscntrl(*c))
			*c = ' ';
	if ((size_t)g_utf8_strlen(line, -1) > columns)
		strcpy(g_utf8_offset_to_pointer(line, (glong)columns - 3), "...");
	return line;
}

const char *fmt_duration(uint64_t ns)
{
	char *b = buffer();
	double s = (double)ns / 1e9;
	if (s >= 120)
		snprintf(b, 48, "%d min %02d s", (int)(s / 60), (int)s % 60);
	else if (s >= 1)
		snprintf(b, 48, "%.2f s", s);
	else if (s >= 1e-3)
		snprintf(b, 48, "%.1f ms", s * 1e3);
	else
		snprintf(b, 48, "%.1f us", s * 1e6);
	return b;
}

// Not argv[0]: the command may have been found in PATH, or through a link.
char *place_self(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	if (n < 0)
		return NULL;
	path[n] = 0;
	return strdup(path);
}

// <folder of this executable>/<relative>, resolved; NULL when it does not exist. A libdir given
// as an absolute path stands for itself.
static char *beside(const char *relative)
{
	char path[PATH_MAX], *self = place_self(), *slash = self ? strrchr(self, '/') : NULL;
	if (slash)
		*slash = 0;
	int n = *relative == '/'
			? snprintf(path, sizeof(path), "%s", relative)
			: snprintf(path, sizeof(path), "%s/%s", self ? self : "", relative);
	free(self);
	return slash && n < PATH_MAX ? realpath(path, NULL) : NULL;
}

// The build tree comes first: an installed tree has no such folders beside the executable.
char *place_preload(void)
{
	char *p = beside("preload/libkalloscope.so");
	return p ? p : beside(KALLOSCOPE_BIN_TO_LIB "/libkalloscope.so");
}

char *place_helper(const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "viewer/%s", name);
	char *p = beside(path);
	if (p)
		return p;
	snprintf(path, sizeof(path), "%s/%s", KALLOSCOPE_BIN_TO_LIBEXEC, name);
	return beside(path);
}

void cli_progress_begin(struct cli_progress *p)
{
	bool terminal = isatty(STDERR_FILENO);
	*p = (struct cli_progress){terminal ? g_get_monotonic_time() + PROGRESS_US : 0, false};
}

void cli_progress_at(struct cli_progress *p, uint64_t done, uint64_t total)
{
	if (!p->next_us || g_get_monotonic_time() < p->next_us)
		return;
	p->next_us = g_get_monotonic_time() + PROGRESS_US;
	p->said = true;
	fprintf(stderr, "\r\033[Kkalloscope: %s of %s events", fmt_count(done), fmt_count(total));
}

void cli_progress_end(const struct cli_progress *p)
{
	if (p->said)
		fputs("\r\033[K", stderr);
}
