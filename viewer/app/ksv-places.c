// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-places.h"

#include <string.h>

void places_init(struct places *p)
{
	p->past = g_array_new(FALSE, FALSE, sizeof(struct place));
	p->ahead = g_array_new(FALSE, FALSE, sizeof(struct place));
}

void places_clear(struct places *p)
{
	g_array_set_size(p->past, 0);
	g_array_set_size(p->ahead, 0);
}

void places_finish(struct places *p)
{
	g_clear_pointer(&p->past, g_array_unref);
	g_clear_pointer(&p->ahead, g_array_unref);
}

static void push(GArray *stack, const struct place *place)
{
	const struct place *top =
		stack->len ? &g_array_index(stack, struct place, stack->len - 1) : NULL;

	if (top && top->process == place->process && top->event == place->event &&
	    top->view == place->view)
		return;
	if (stack->len == PLACES_KEPT)
		g_array_remove_index(stack, 0);
	g_array_append_vals(stack, place, 1);
}

static gboolean pop(GArray *stack, struct place *place)
{
	if (!stack->len)
		return FALSE;
	*place = g_array_index(stack, struct place, stack->len - 1);
	g_array_set_size(stack, stack->len - 1);
	return TRUE;
}

void places_leave(struct places *p, const struct place *from)
{
	push(p->past, from);
	g_array_set_size(p->ahead, 0);
}

gboolean places_back(struct places *p, const struct place *now, struct place *to)
{
	if (!pop(p->past, to))
		return FALSE;
	push(p->ahead, now);
	return TRUE;
}

gboolean places_forward(struct places *p, const struct place *now, struct place *to)
{
	if (!pop(p->ahead, to))
		return FALSE;
	push(p->past, now);
	return TRUE;
}

// ---- bookmarks ----

static char *bookmarks_path(struct recording *r)
{
	g_autofree char *what =
		g_strdup_printf("%s\n%s", recording_meta(r, "start"), recording_meta(r, "argv"));
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, what, -1);
	g_autofree char *name = g_strdup_printf("%.32s.bookmarks", sum);

	return g_build_filename(g_get_user_state_dir(), "kalloscope", name, NULL);
}

static int compare(gconstpointer a, gconstpointer b)
{
	const struct bookmark *x = a, *y = b;

	return x->event < y->event ? -1 : x->event > y->event;
}

GArray *bookmarks_load(struct recording *r)
{
	GArray *marks = g_array_new(FALSE, TRUE, sizeof(struct bookmark));
	g_autofree char *path = bookmarks_path(r);
	g_autoptr(GKeyFile) file = g_key_file_new();
	g_auto(GStrv) groups = NULL;

	if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
		return marks;
	groups = g_key_file_get_groups(file, NULL);
	for (char **g = groups; *g; g++) {
		struct bookmark m = {.event = g_ascii_strtoull(*g, NULL, 10)};
		g_autofree char *name = g_key_file_get_string(file, *g, "name", NULL);

		m.process = g_key_file_get_integer(file, *g, "process", NULL);
		g_strlcpy(m.name, name ? name : "", sizeof(m.name));
		if (m.event)
			g_array_append_val(marks, m);
	}
	g_array_sort(marks, compare);
	return marks;
}

gboolean bookmarks_save(struct recording *r, GArray *marks, GError **error)
{
	g_autofree char *path = bookmarks_path(r), *folder = g_path_get_dirname(path);
	g_autoptr(GKeyFile) file = g_key_file_new();

	for (guint i = 0; i < marks->len; i++) {
		const struct bookmark *m = &g_array_index(marks, struct bookmark, i);
		g_autofree char *group = g_strdup_printf("%" G_GUINT64_FORMAT, m->event);

		g_key_file_set_integer(file, group, "process", m->process);
		g_key_file_set_string(file, group, "name", m->name);
	}
	g_mkdir_with_parents(folder, 0700);
	return g_key_file_save_to_file(file, path, error);
}

gboolean bookmarks_toggle(GArray *marks, int process, uint64_t event, const char *name)
{
	struct bookmark m = {.process = process, .event = event};

	for (guint i = 0; i < marks->len; i++)
		if (g_array_index(marks, struct bookmark, i).event == event) {
			g_array_remove_index(marks, i);
			return FALSE;
		}
	g_strlcpy(m.name, name ? name : "", sizeof(m.name));
	g_array_append_val(marks, m);
	g_array_sort(marks, compare);
	return TRUE;
}
