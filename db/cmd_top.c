// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope top: zones, caches and the hottest call sites of a program that is being recorded, drawn
// anew every second; once, when nobody can look.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../core/page_alloc.h"
#include "top.h"

enum {
	CACHES = 6,
	ONCE_SITES = 20,
	BAR = 20
};

struct screen {
	bool terminal; // redrawn in place
	int width, height;
	int lines; // written
	struct termios before;
};

static volatile sig_atomic_t leave;

static void on_signal(int sig)
{
	leave = sig == SIGWINCH ? leave : 1;
}

// ---- the screen

static void measure(struct screen *s)
{
	struct winsize ws;
	const char *columns = getenv("COLUMNS");
	s->width = columns && atoi(columns) >= 40 ? atoi(columns) : 80;
	s->height = 0;
	if (s->terminal && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col) {
		s->width = ws.ws_col;
		s->height = ws.ws_row;
	}
}

// The alternate screen, keys without Enter; a resize wakes poll.
static void screen_open(struct screen *s)
{
	struct sigaction act = {.sa_handler = on_signal};
	struct termios raw;
	if (!s->terminal)
		return;
	sigaction(SIGWINCH, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	tcgetattr(STDIN_FILENO, &s->before);
	raw = s->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
}

static void screen_close(const struct screen *s)
{
	if (!s->terminal)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &s->before);
}

// One line, cut at the width; nothing below the last line of a terminal.
static void put(struct screen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct screen *s, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	g_autofree char *text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	if (s->height && s->lines + 1 >= s->height)
		return;
	g_autofree char *line = fmt_line(text, (size_t)s->width);
	s->lines++;
	printf("%s%s\n", line, s->terminal ? "\033[K" : "");
}

// True: go on. q, or a signal, ends it.
static bool pause_for(int ms)
{
	struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
	char key = 0;
	if (poll(&keys, 1, ms) <= 0)
		return !leave;
	if (read(STDIN_FILENO, &key, 1) <= 0)
		return false;
	return key != 'q' && key != 'Q' && !leave;
}

// ---- what is drawn

static void draw_head(struct screen *s, const struct top *t, const struct report *rp,
		      double seconds)
{
	bool done = recording_complete(rp->r);
	g_autofree char *program = fmt_line(*rp->p->argv ? rp->p->argv : rp->p->exe, 200);
	int64_t ns = (int64_t)rp->p->end_ns;
	put(s, "%s, %s%s, pid %d: %s", done ? "finished" : "recording",
	    fmt_duration(ns > 0 ? (uint64_t)ns : 0), done ? "" : " stored so far", rp->p->pid,
	    program);
	g_autofree char *rate =
		seconds > 0 ? g_strdup_printf(" (%s a second)",
					      fmt_count((uint64_t)((double)t->recent / seconds)))
			    : g_strdup("");
	put(s, "%s events, %s allocations%s; %s alive in %s blocks, at most %s",
	    fmt_count(rp->p->events), fmt_count(t->calls), rate, fmt_bytes(t->live_bytes),
	    fmt_count(t->live_count), fmt_bytes(t->peak_bytes));
	put(s, "%s", "");
}

static void draw_zones(struct screen *s, struct machine *m)
{
	put(s, "%-8s %12s %12s %6s %6s %6s", "zone", "used", "free", "min", "low", "high");
	for (unsigned i = 0; i <= ZONE_HIGHMEM; i++) {
		const struct zone *z = &m->s->zone[i];
		char bar[BAR + 1];
		uint64_t free = zone_free_pages(m, i), all = z->spanned_pages;
		if (!z->present_pages || free > all)
			continue;
		for (unsigned k = 0; k < BAR; k++)
			bar[k] = k * all < (all - free) * BAR ? '#' : '.';
		bar[BAR] = 0;
		put(s, "%-8s %12s %12s %6u %6u %6u  %s", zone_names[i], fmt_count(all - free),
		    fmt_count(free), z->watermark[WMARK_MIN], z->watermark[WMARK_LOW],
		    z->watermark[WMARK_HIGH], bar);
	}
	put(s, "%s", "");
}

static void draw_caches(struct screen *s, const struct machine *m)
{
	g_autoptr(GArray) list = cache_list(m);
	put(s, "%-24s %10s %10s %8s %10s", "cache", "in use", "objects", "slabs", "pages");
	for (guint i = 0; i < list->len && i < CACHES; i++) {
		const struct cache_figures *f = &g_array_index(list, struct cache_figures, i);
		const struct kmem_cache *c = &m->caches[f->id];
		put(s, "%-24.*s %10s %10s %8s %10s", CACHE_NAME_LEN, c->name, fmt_count(f->active),
		    fmt_count(f->objects), fmt_count(c->num_slabs), fmt_bytes(f->pages_bytes));
	}
	put(s, "%s", "");
}

static void draw_sites(struct screen *s, struct top *t, struct report *rp)
{
	g_autoptr(GPtrArray) a = top_sites(t);
	int room = s->height ? s->height - s->lines - 2 : ONCE_SITES;
	put(s, "%10s %10s %10s %10s  %s", "recent", "calls", "bytes", "alive",
	    "call site < callers");
	for (guint i = 0; i < a->len && (int)i < room; i++) {
		struct top_site *site = a->pdata[i];
		put(s, "%10s %10s %10s %10s  %s", fmt_count(site->recent), fmt_count(site->calls),
		    fmt_bytes(site->bytes), fmt_bytes(site->live_bytes),
		    top_site_text(t, rp, site));
	}
}

static void draw_machine(struct screen *s, struct report *rp)
{
	char err[512];
	struct replay *p = replay_open(rp->r, rp->p->process, err, sizeof(err));
	if (!p || replay_seek(p, rp->to)) {
		put(s, "(the machine's first state is not stored yet)");
	} else {
		draw_zones(s, replay_machine(p));
		draw_caches(s, replay_machine(p));
	}
	replay_close(p);
}

// One look at the file as it is now. Exit status.
static int look(struct screen *s, struct top *t, double seconds)
{
	const struct report_args args = {
		.at = {.kind = AT_END}, .process = t->process, .silent = true};
	const struct process_info *list;
	struct report rp;
	struct recording *r = cli_open(t->path);
	if (!r)
		return EXIT_USAGE;
	s->lines = 0;
	measure(s);
	fputs(s->terminal ? "\033[H" : "", stdout);
	if (!recording_processes(r, &list)) {
		put(s, "%s: %s", t->path,
		    recording_complete(r) ? "holds no process" : "nothing is stored yet");
	} else if (report_begin(&rp, r, &args, "top")) {
		top_look(t, &rp);
		draw_head(s, t, &rp, seconds);
		draw_machine(s, &rp);
		draw_sites(s, t, &rp);
		report_end(&rp);
	} else {
		recording_close(r);
		return EXIT_USAGE;
	}
	fputs(s->terminal ? "\033[Jq: quit" : "", stdout);
	fflush(stdout);
	recording_close(r);
	return EXIT_SUCCESS;
}

static double monotonic(void)
{
	return (double)g_get_monotonic_time() / 1e6;
}

static int watch(struct screen *s, struct top *t, double interval)
{
	double last = 0, now;
	int status;
	do {
		now = monotonic();
		status = look(s, t, last > 0 ? now - last : 0);
		last = now;
	} while (!status && s->terminal && pause_for((int)(interval * 1000)));
	return status;
}

static double parse_interval(const struct cli *c)
{
	char *end;
	double v = g_ascii_strtod(c->value, &end);
	if (*end || end == c->value || !(v >= 0.1 && v <= 3600))
		cli_usage("top", "--interval %s: not a number of seconds from 0.1 to 3600",
			  c->value);
	return v;
}

int cmd_top(int argc, char **argv)
{
	struct screen s = {.terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
	struct cli c;
	struct top t;
	double interval = 1;
	int process = 0;
	cli_init(&c, "top", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == '1')
			s.terminal = false;
		else if (id == 'i')
			interval = parse_interval(&c);
		else
			process = option_number(&c, "--process", 1);
	}
	char **operand = cli_operands(&c, 1);
	struct recording *r = cli_open(operand[0]); // before the screen is taken over
	if (!r)
		return EXIT_USAGE;
	recording_close(r);
	top_begin(&t, operand[0], process);
	screen_open(&s);
	int status = watch(&s, &t, interval);
	screen_close(&s);
	top_end(&t);
	return status;
}
