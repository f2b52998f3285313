// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvLoader: makes view models in a worker thread.
//
// It owns a source of its own. One request runs at a time; of those that come meanwhile only the
// latest is kept, so that a drag never queues up work. When nothing is asked for, the models of the
// events beside the one shown are made, so that a step need not wait: a request for one that is at
// hand is answered before ksv_loader_request() returns. Signals, in the main thread:
//   "opened"           the recording is there; ksv_loader_get_recording() may be used
//   "failed" (string)  it could not be opened, or a model could not be made
//   "model" (pointer)  a struct view_model; the handler takes a reference if it keeps it
#pragma once

#include <glib-object.h>

#include "../source.h"

#define KSV_TYPE_LOADER (ksv_loader_get_type())
G_DECLARE_FINAL_TYPE(KsvLoader, ksv_loader, KSV, LOADER, GObject)

KsvLoader *ksv_loader_new(const char *path);
// A second handle on the recording for the main thread's short reads; NULL before "opened".
struct source *ksv_loader_get_reader(KsvLoader *self);
void ksv_loader_request(KsvLoader *self, const struct model_request *q);
gboolean ksv_loader_is_busy(KsvLoader *self); // with something that was asked for
