// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the files of the window share: ksv-window.c makes it, the others are named below.
#pragma once

#include "ksv-calls.h"
#include "ksv-canvas.h"
#include "ksv-details.h"
#include "ksv-events-page.h"
#include "ksv-inspector.h"
#include "ksv-loader.h"
#include "ksv-places.h"
#include "ksv-scan.h"
#include "ksv-scope-bar.h"
#include "ksv-scrubber.h"
#include "ksv-selection.h"
#include "ksv-sql-page.h"
#include "ksv-steps-page.h"
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
	AdwFlap *flap, *side;
	AdwToastOverlay *toasts;
	GtkStack *pages, *views;
	GtkSpinner *spinner;
	GtkListBox *sidebar;
	GtkScrolledWindow *sidebar_scroll;
	GtkBox *bottom;
	GtkButton *play_button, *goto_button, *sidebar_button;
	GtkMenuButton *bookmark_button;
	GtkButton *follow_button;
	GtkListBox *recent;
	GtkDropDown *process_chooser, *rate_chooser;
	GtkSearchBar *goto_bar;
	GtkEntry *goto_entry;
	GtkLabel *position_label, *info_label;
	GtkInfoBar *info_bar;
	GtkFileChooserNative *chooser;
	KsvScrubber *scrubber;
	KsvEventsPage *events_page;
	KsvInspector *inspector;
	KsvSitesPage *sites_page;
	KsvSqlPage *sql_page; // row VIEWS of the sidebar
	KsvStepsPage *steps_page;
	GtkWidget *flame_page, *map_page;
	KsvScopeBar *scope_bar[2]; // of the call sites and of the flame graph
	KsvCanvas *canvas[VIEWS];  // by index in views[]; NULL for the tables

	KsvSelection *selection; // what all views show
	KsvDetails *details;	 // of the recording; NULL: none
	guint details_wait;	 // asks it when the position rests
	uint64_t details_event;	 // position it was asked about
	KsvScan *holders_scan;	 // of the map; NULL: none wanted yet
	KsvScan *calls_scan;	 // of less than the whole process; NULL: none
	enum call_scope scope;	 // of call sites and flame graph
	struct calltree *folded, *folded_of; // without recursion; NULL: none was wanted
	struct scan_of {
		int process;
		uint64_t from, to;
	} held, called; // what the scans are of
	int following;	// direction to go once the details know where; 0 no
	struct places places;
	gboolean returning; // a place is being shown: no new one
	GArray *bookmarks;  // struct bookmark; NULL: no recording

	KsvLoader *newer;      // of the same file, opened later; NULL: none
	uint64_t known_events; // in the recording as `loader` knows it
	guint follow_timer;
	gboolean follow;   // a recording that is being written
	int start_process; // what to show first; 0, UINT64_MAX: the usual
	uint64_t start_event;
	unsigned start_view;

	KsvLoader *loader; // NULL: no recording
	gboolean opened, unfinished, calls_wanted;
	gboolean letters;	// single letters act in pictures
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
// Moves the position, clamped to the process; a jump remembers where it came from.
void ksv_window_seek(KsvWindow *self, uint64_t event);
void ksv_window_jump(KsvWindow *self, uint64_t event);
void ksv_window_step(KsvWindow *self, gint64 by);
void ksv_window_show_process(KsvWindow *self, int process);
void ksv_window_toast(KsvWindow *self, const char *sentence);
// Selects what a picture shows, and does what picking it means.
void ksv_window_pick(KsvWindow *self, int kind, guint64 id);
void ksv_window_ask_details(KsvWindow *self);
void ksv_window_filter_events(KsvWindow *self, const char *filter); // on the events page

// Opening, closing, models: ksv-window-recording.c
void ksv_window_use_chosen_process(KsvWindow *self);
void ksv_window_close_recording(KsvWindow *self);
void ksv_window_set_open_actions(KsvWindow *self, gboolean enabled);

// Selection: ksv-window-select.c
void ksv_window_selection_changed(KsvSelection *selection, guint parts, KsvWindow *self);
void ksv_window_details_changed(KsvDetails *details, KsvWindow *self);
void ksv_window_picked(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self);
void ksv_window_opened(KsvCanvas *canvas, int kind, guint64 id, KsvWindow *self);
void ksv_window_site_picked(KsvSitesPage *page, const char *function, KsvWindow *self);
void ksv_window_site_events(KsvSitesPage *page, const char *function, KsvWindow *self);
void ksv_window_stack_events(GtkWidget *widget, guint stack, KsvWindow *self);

// Readings of all events back to the start: ksv-window-scans.c
void ksv_window_set_scope(KsvScopeBar *bar, guint scope, KsvWindow *self);
void ksv_window_ask_scans(KsvWindow *self);  // those the shown page wants
void ksv_window_stop_scans(KsvWindow *self); // they stay unfinished until the position changes
void ksv_window_forget_scans(KsvWindow *self);
void ksv_window_show_scans(KsvWindow *self); // what is true of the model shown

// What people do: ksv-window-actions.c
void ksv_window_install_actions(GtkWidgetClass *class);
void ksv_window_add_keys(KsvWindow *self);
void ksv_window_pause(KsvWindow *self); // playback; nothing when paused
void ksv_window_set_play_start(KsvWindow *self);
unsigned ksv_window_view_index(const char *id);
unsigned ksv_window_shown_view(KsvWindow *self); // row of the sidebar
void ksv_window_show_view(KsvWindow *self, unsigned index);

// Start, recording, following: ksv-window-start.c
void ksv_window_install_start(GtkWidgetClass *class);
void ksv_window_init_start(KsvWindow *self);
void ksv_window_show_recent(KsvWindow *self);
void ksv_window_set_follow(KsvWindow *self, gboolean on);
void ksv_window_stop_following(KsvWindow *self);
// Takes a loader over that has the same recording opened again; the position stays, or goes to the
// new end when it stood at the old one.
void ksv_window_replace_loader(KsvWindow *self, KsvLoader *loader);
void ksv_window_duplicate(KsvWindow *self, int process); // a second window beside this one
void ksv_window_restore_state(KsvWindow *self);
void ksv_window_save_state(KsvWindow *self);

// Export: ksv-window-export.c
void ksv_window_install_export(GtkWidgetClass *class);

// Places: ksv-window-places.c
void ksv_window_install_places(GtkWidgetClass *class);
void ksv_window_go_to_typed(GtkEntry *entry, KsvWindow *self);
void ksv_window_leave_place(KsvWindow *self); // the current one goes on the list of back
void ksv_window_forget_places(KsvWindow *self);
void ksv_window_show_bookmarks(KsvWindow *self);
void ksv_window_show_place(KsvWindow *self, const char *kind, uint64_t value); // "pfn", "addr"
void ksv_window_step_thing(KsvWindow *self, int direction);
void ksv_window_step_other(KsvWindow *self, int direction); // of the filter, else of the thing
void ksv_window_follow_thing(KsvWindow *self);		    // the details have more
