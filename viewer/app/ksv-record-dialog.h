// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// KsvRecordDialog: asks for a program and a machine, runs `kalloscope record` on it and says how it
// goes. Signal "recorded" (string path): a recording is there.
#pragma once

#include <adwaita.h>

#define KSV_TYPE_RECORD_DIALOG (ksv_record_dialog_get_type())
G_DECLARE_FINAL_TYPE(KsvRecordDialog, ksv_record_dialog, KSV, RECORD_DIALOG, AdwWindow)

GtkWindow *ksv_record_dialog_new(GtkWindow *parent);
// Fills in a command and starts it, as typed and confirmed.
void ksv_record_dialog_run(KsvRecordDialog *self, const char *command);
const char *ksv_record_dialog_get_status(KsvRecordDialog *self);
gboolean ksv_record_dialog_is_running(KsvRecordDialog *self);
// The kalloscope command that belongs to this viewer; NULL: none is found. g_free
char *kalloscope_command(void);
