// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The memory map with its controls: what its colours mean, what it points out.
#pragma once

#include "ksv-canvas.h"
#include "ksv-scan-bar.h"

GtkWidget *ksv_map_page_new(KsvCanvas *canvas); // a box around the picture
KsvScanBar *ksv_map_page_get_bar(GtkWidget *page);
// A drop-down of names (NULL ends), with a label for assistive tools.
GtkWidget *ksv_chooser_new(const char *const *names, const char *label, const char *tooltip);
