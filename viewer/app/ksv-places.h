// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Where the user has been (back and forward), and what was marked to come back to (bookmarks).
//
// Bookmarks belong to a recording, not to its file's name: they are kept in the user's state folder
// under what identifies the recording (when it began, and what was run).
#pragma once

#include <glib.h>

#include "../../db/reader.h"

struct place {
	int process;
	uint64_t event;
	unsigned view; // row of the sidebar
};

enum {
	PLACES_KEPT = 200
};

struct places { // past[0..n), the current one not among them; ahead[0..m) nearest last
	GArray *past, *ahead;
};

void places_init(struct places *p);
void places_clear(struct places *p);
void places_finish(struct places *p);
// Leaves `from` for somewhere new: what lay ahead is forgotten.
void places_leave(struct places *p, const struct place *from);
// Back to where one was; `now` becomes what lies ahead. false: there is nothing.
gboolean places_back(struct places *p, const struct place *now, struct place *to);
gboolean places_forward(struct places *p, const struct place *now, struct place *to);

struct bookmark {
	int process;
	uint64_t event;
	char name[96]; // "" none
};

// GArray of struct bookmark in order of events; empty when there are none.
GArray *bookmarks_load(struct recording *r);
// false: they could not be written; a sentence in error.
gboolean bookmarks_save(struct recording *r, GArray *marks, GError **error);
// Adds one, or takes it away when it is there; TRUE: added.
gboolean bookmarks_toggle(GArray *marks, int process, uint64_t event, const char *name);
