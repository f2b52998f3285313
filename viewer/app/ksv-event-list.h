// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvEventList: the events of a recording as a list model that reads what is looked at.
//
// Item i is event i + 1, or what stands at place i of the matches of a filter. Rows come from the
// recording a page at a time by their key, and 64 pages are kept: the cost of a jump does not depend
// on the number of events.
#pragma once

#include <gio/gio.h>

#include "../source.h"
#include "ksv-matches.h"

#define KSV_TYPE_EVENT (ksv_event_get_type())
G_DECLARE_FINAL_TYPE(KsvEvent, ksv_event, KSV, EVENT, GObject)
const struct event_row *ksv_event_get_row(KsvEvent *self);

#define KSV_TYPE_EVENT_LIST (ksv_event_list_get_type())
G_DECLARE_FINAL_TYPE(KsvEventList, ksv_event_list, KSV, EVENT_LIST, GObject)
// The recording must outlive the list and is used by this thread alone. matches: that have ended;
// NULL: all events.
KsvEventList *ksv_event_list_new(struct recording *recording, KsvMatches *matches);
// Where an event stands; of one that is no match the place of the next one by number, or of the last
// one. GTK_INVALID_LIST_POSITION in an empty list.
guint ksv_event_list_position(KsvEventList *self, guint64 event);
guint64 ksv_event_list_event(KsvEventList *self, guint position); // 0: no such position
// The next (1) or previous (-1) event of the list by number, whatever its order; 0 none.
guint64 ksv_event_list_beside(KsvEventList *self, guint64 event, int direction);
