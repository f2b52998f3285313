// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-state.h"

static char *state_path(void)
{
	return g_build_filename(g_get_user_state_dir(), "kalloscope", "viewer.ini", NULL);
}

static GKeyFile *load(void)
{
	g_autofree char *path = state_path();
	GKeyFile *file = g_key_file_new();

	g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL);
	return file;
}

static void save(GKeyFile *file)
{
	g_autofree char *path = state_path(), *folder = g_path_get_dirname(path);

	g_mkdir_with_parents(folder, 0700);
	g_key_file_save_to_file(file, path, NULL);
}

static gboolean get_flag(GKeyFile *file, const char *key, gboolean otherwise)
{
	g_autoptr(GError) error = NULL;
	gboolean value = g_key_file_get_boolean(file, "window", key, &error);

	return error ? otherwise : value;
}

void state_load_window(struct window_state *s)
{
	g_autoptr(GKeyFile) file = load();

	s->width = g_key_file_get_integer(file, "window", "width", NULL);
	s->height = g_key_file_get_integer(file, "window", "height", NULL);
	if (s->width < 320 || s->height < 240 || s->width > 16384 || s->height > 16384) {
		s->width = 1280;
		s->height = 800;
	}
	s->maximized = get_flag(file, "maximized", FALSE);
	s->sidebar = get_flag(file, "sidebar", TRUE);
	s->inspector = get_flag(file, "inspector", TRUE);
	s->letters = get_flag(file, "letters", TRUE);
}

void state_save_window(const struct window_state *s)
{
	g_autoptr(GKeyFile) file = load();

	g_key_file_set_integer(file, "window", "width", s->width);
	g_key_file_set_integer(file, "window", "height", s->height);
	g_key_file_set_boolean(file, "window", "maximized", s->maximized);
	g_key_file_set_boolean(file, "window", "sidebar", s->sidebar);
	g_key_file_set_boolean(file, "window", "inspector", s->inspector);
	g_key_file_set_boolean(file, "window", "letters", s->letters);
	save(file);
}

GStrv state_recent(void)
{
	g_autoptr(GKeyFile) file = load();
	g_auto(GStrv) all = g_key_file_get_string_list(file, "recent", "files", NULL, NULL);
	g_autoptr(GStrvBuilder) there = g_strv_builder_new();

	for (char **p = all; p && *p; p++)
		if (g_file_test(*p, G_FILE_TEST_EXISTS))
			g_strv_builder_add(there, *p);
	return g_strv_builder_end(there);
}

void state_add_recent(const char *path)
{
	g_autofree char *full = g_canonicalize_filename(path, NULL);
	g_autoptr(GKeyFile) file = load();
	g_auto(GStrv) before = state_recent();
	const char *now[RECENT_KEPT] = {full};
	gsize n = 1;

	for (char **p = before; *p && n < RECENT_KEPT; p++)
		if (strcmp(*p, full))
			now[n++] = *p;
	g_key_file_set_string_list(file, "recent", "files", now, n);
	save(file);
}
