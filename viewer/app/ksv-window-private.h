// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What ksv-window.c (the recording and its models) and ksv-window-actions.c (what people do) share.
#pragma once

#include "ksv-calls.h"
#include "ksv-canvas.h"
#include "ksv-event-panel.h"
#include "ksv-events-page.h"
#include "ksv-loader.h"
#include "ksv-scrubber.h"
#include "ksv-sql-page.h"
#include "ksv-window.h"

// Entries of the rate chooser.
enum {
	RATE_DEFAULT = 3,
	RATE_REAL_TIME = 6,
};

struct _KsvWindow {
	AdwApplicationWindow parent_instance;
	AdwWindowTitle *title;
	AdwStatusPage *error_page;
	AdwFlap *flap, *inspector;
	AdwToastOverlay *toasts;
	GtkStack *pages, *views;
	GtkListBox *sidebar;
	GtkBox *bottom;
	GtkButton *play_button, *goto_button, *sidebar_button;
	GtkDropDown *process_chooser, *rate_chooser;
	GtkSearchBar *goto_bar;
	GtkEntry *goto_entry;
	GtkLabel *position_label, *info_label;
	GtkInfoBar *info_bar;
	GtkFileChooserNative *chooser;
	KsvScrubber *scrubber;
	KsvEventsPage *events_page;
	KsvEventPanel *event_panel;
	KsvSitesPage *sites_page;
	KsvSqlPage *sql_page; // row VIEWS of the sidebar
	GtkWidget *flame_page;
	KsvCanvas *canvas[VIEWS]; // by index in views[]; NULL for the tables

	KsvLoader *loader; // NULL: no recording
	gboolean opened, unfinished, calls_wanted;
	const char *info_shown; // text of the info bar, NULL none
	char *path;
	struct view_model *model;
	struct model_request request; // what is wanted; the model follows
	GArray *processes;	      // int, in the order of the chooser
	uint64_t first, last;	      // events of the process
	guint tick;		      // playback; 0: paused
	gint64 tick_us;
	double play_at; // events, or ns in real time
};

// Asks for a model of self->request; the latest request wins.
void ksv_window_request(KsvWindow *self);
// Moves the position, clamped to the process.
void ksv_window_seek(KsvWindow *self, uint64_t event);
void ksv_window_step(KsvWindow *self, gint64 by);

void ksv_window_install_actions(GtkWidgetClass *class);
void ksv_window_add_keys(KsvWindow *self);
void ksv_window_pause(KsvWindow *self); // playback; nothing when paused
void ksv_window_set_play_start(KsvWindow *self);
void ksv_window_go_to_typed(GtkEntry *entry, KsvWindow *self);
