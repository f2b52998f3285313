// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the viewer remembers from one run to the next: the window, recent recordings, settings. Kept
// in viewer.ini of the user's state folder; a file that cannot be read or written is no error, only
// forgotten.
#pragma once

#include <glib.h>

enum {
	RECENT_KEPT = 8
};

struct window_state {
	int width, height;
	gboolean maximized, sidebar, inspector, letters;
};

void state_load_window(struct window_state *s); // defaults where nothing is known
void state_save_window(const struct window_state *s);
GStrv state_recent(void); // paths, the latest first; those that are gone left out. g_strfreev
void state_add_recent(const char *path);
