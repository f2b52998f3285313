// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Report leaks: blocks not given back at exit, by stack, without those that are meant to stay.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

// What glibc, its loader and the C++ runtime allocate once and keep; matched against functions of
// any frame.
static const char *const built_in[] = {
	"^_dl_init$",
	"^_dl_open",
	"^_dl_map_object",
	"^_dl_allocate_tls$",
	"^allocate_dtv",
	"^__tls_get_addr",
	"^setlocale$",
	"^_nl_load_",
	"^_nl_find_",
	"^_nl_make_l10nflist$",
	"^__bindtextdomain$",
	"^__bind_textdomain_codeset$",
	"^__textdomain$",
	"^bindtextdomain$",
	"^textdomain$",
	"^__dcigettext$",
	"^_IO_file_doallocate$",
	"^__gconv_",
	"^__tzset",
	"^tzset_internal$",
	"^__nss_",
	"^__add_to_environ$",
	"^putenv$",
	"^setenv$",
	"^__cxa_atexit$",
	"^__new_exitfn$",
	"^__cxa_get_globals$",
	"eh_alloc.cc",
	"^__libc_setup_tls$",
	"^init_cacheinfo$",
	"^__register_atfork$",
};

// The pattern of LeakSanitizer: found anywhere, unless ^ or $ tie it to an end; * is any text.
static bool matches_here(const char *p, const char *t)
{
	for (; *p; p++, t++) {
		if (*p == '*') {
			while (!matches_here(p + 1, t))
				if (!*t++)
					return false;
			return true;
		}
		if (*p == '$' && !p[1])
			return !*t;
		if (*p != *t)
			return false;
	}
	return true;
}

static bool matches(const char *p, const char *t)
{
	if (*p == '^')
		return matches_here(p + 1, t);
	for (;; t++) {
		if (matches_here(p, t))
			return true;
		if (!*t)
			return false;
	}
}

static bool frame_matches(const char *p, const struct site_frame *f)
{
	return matches(p, f->function) || (*f->file && matches(p, f->file)) ||
	       (*f->module && matches(p, f->module));
}

struct suppression {
	char *pattern;
	uint64_t count, bytes; // left out for it
};

static void suppression_clear(gpointer p)
{
	g_free(((struct suppression *)p)->pattern);
}

static GArray *suppression_list(void)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct suppression));
	g_array_set_clear_func(list, suppression_clear);
	return list;
}

static void add_pattern(GArray *list, const char *pattern)
{
	struct suppression s = {.pattern = g_strdup(pattern)};
	g_array_append_val(list, s);
}

// Lines "leak:pattern", empty ones, and comments after #. False after a message.
static bool read_file(GArray *list, const char *path)
{
	g_autoptr(GError) err = NULL;
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, &err)) {
		cli_error("%s", err->message);
		return false;
	}
	g_auto(GStrv) line = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; line[i]; i++) {
		char *l = g_strstrip(line[i]);
		if (!*l || *l == '#')
			continue;
		if (!g_str_has_prefix(l, "leak:") || !l[5]) {
			cli_error("%s:%u: expected leak:PATTERN, not '%s'", path, i + 1, l);
			return false;
		}
		add_pattern(list, l + 5);
	}
	return true;
}

// Blocks the loader itself asks for: dl_main and its like have no names in a stripped ld.so.
static bool loader_made(const struct site_frame *f, unsigned n)
{
	const char *slash = n ? strrchr(f[0].module, '/') : NULL;
	return slash && g_str_has_prefix(slash, "/ld-linux");
}

static struct suppression *find(GArray *list, const struct site_frame *f, unsigned n)
{
	for (guint i = 0; i < list->len; i++) {
		struct suppression *s = &g_array_index(list, struct suppression, i);
		for (unsigned k = 0; k < n; k++)
			if (frame_matches(s->pattern, &f[k]))
				return s;
	}
	return NULL;
}

static int by_bytes(gconstpointer pa, gconstpointer pb)
{
	const struct site_figures *a = pa, *b = pb;
	if (a->live_bytes != b->live_bytes)
		return a->live_bytes > b->live_bytes ? -1 : 1;
	return a->stack < b->stack ? -1 : a->stack > b->stack;
}

// Leaves what leaks in `a`; the others are added to their suppression, or to *known.
static void sift(struct report *rp, GArray *a, GArray *list, struct suppression *known)
{
	g_autoptr(GArray) standard = suppression_list();
	guint kept = 0;
	for (unsigned i = 0; i < G_N_ELEMENTS(built_in); i++)
		add_pattern(standard, built_in[i]);
	for (guint i = 0; i < a->len; i++) {
		struct site_figures s = g_array_index(a, struct site_figures, i);
		unsigned n;
		if (!s.live_count)
			continue;
		const struct site_frame *f = stack_frames(rp, s.stack, &n);
		struct suppression *by = find(list, f, n);
		if (!by && (loader_made(f, n) || find(standard, f, n)))
			by = known;
		if (by) {
			by->count += s.live_count;
			by->bytes += s.live_bytes;
		} else {
			g_array_index(a, struct site_figures, kept++) = s;
		}
	}
	g_array_set_size(a, kept);
	g_array_sort(a, by_bytes);
}

static void print_suppressed(struct report *rp, const GArray *list, const struct suppression *known)
{
	static const struct column columns[] = {{"count", "blocks", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"pattern", "suppressed by", CELL_TEXT},
						{0}};
	uint64_t count = known->count, bytes = known->bytes;
	for (guint i = 0; i < list->len; i++) {
		count += g_array_index(list, struct suppression, i).count;
		bytes += g_array_index(list, struct suppression, i).bytes;
	}
	out_note(rp, "suppressed %s block%s, %s", fmt_count(count), plural(count),
		 fmt_bytes(bytes));
	if (!list->len && !output_json(rp->out))
		return;
	out_table(rp, "suppressed", columns);
	for (guint i = 0; i < list->len; i++) {
		const struct suppression *s = &g_array_index(list, struct suppression, i);
		if (s->count)
			out_row(rp, s->count, s->bytes, s->pattern);
	}
	if (known->count)
		out_row(rp, known->count, known->bytes, "(built in: libc, loader)");
	out_end(rp);
}

static void print_leaks(struct report *rp, const GArray *a)
{
	static const struct column columns[] = {{"count", "blocks", CELL_COUNT},
						{"bytes", "bytes", CELL_BYTES},
						{"stack", "allocated by < callers", CELL_STACK},
						{0}};
	guint n = rp->top && rp->top < a->len ? rp->top : a->len;
	out_table(rp, "leaks", columns);
	for (guint i = 0; i < n; i++) {
		const struct site_figures *s = &g_array_index(a, struct site_figures, i);
		out_row(rp, s->live_count, s->live_bytes, s->stack);
	}
	out_end(rp);
	if (n < a->len)
		out_note(rp, "%s more; --top=0 shows all", fmt_count(a->len - n));
}

// The sites that leak, greatest first; NULL after a message.
static GArray *leaking(struct report *rp, GArray *list, struct suppression *known)
{
	if (rp->suppressions && !read_file(list, rp->suppressions))
		return NULL;
	GArray *a = site_figures(rp);
	sift(rp, a, list, known);
	return a;
}

static void add_up(const GArray *a, uint64_t *count, uint64_t *bytes)
{
	*count = *bytes = 0;
	for (guint i = 0; i < a->len; i++) {
		*count += g_array_index(a, struct site_figures, i).live_count;
		*bytes += g_array_index(a, struct site_figures, i).live_bytes;
	}
}

int leak_totals(struct report *rp, uint64_t *count, uint64_t *bytes)
{
	g_autoptr(GArray) list = suppression_list();
	struct suppression known = {0};
	g_autoptr(GArray) a = leaking(rp, list, &known);
	if (!a)
		return EXIT_USAGE;
	add_up(a, count, bytes);
	return EXIT_SUCCESS;
}

static uint64_t leaked_bytes(const struct site_figures *f)
{
	return f->live_bytes;
}

int report_leaks(struct report *rp)
{
	g_autoptr(GArray) list = suppression_list();
	struct suppression known = {0};
	uint64_t count, bytes;
	g_autoptr(GArray) a = leaking(rp, list, &known);
	if (!a)
		return EXIT_USAGE;
	add_up(a, &count, &bytes);
	out_title(rp, "%s block%s not given back%s, %s, from %s site%s", fmt_count(count),
		  plural(count), rp->window ? " by the end of the window" : "", fmt_bytes(bytes),
		  fmt_count(a->len), plural(a->len));
	if (output_json(rp->out)) {
		out_figure(rp, "count", "", CELL_COUNT, count);
		out_figure(rp, "bytes", "", CELL_BYTES, bytes);
	}
	if (rp->tree)
		report_tree(rp, a, leaked_bytes, "bytes", CELL_BYTES);
	else
		print_leaks(rp, a);
	print_suppressed(rp, list, &known);
	return EXIT_SUCCESS;
}
