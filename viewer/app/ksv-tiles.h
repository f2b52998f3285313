// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A picture as a grid of render nodes. Nodes whose pixels stay the same are kept for the next frame,
// and GSK finds that nothing changed there: a frame costs what changed, not the size of the widget.
//
//   s = tiles_begin(t, ...); draw on all of s; tiles_end(t); tiles_append(t, snapshot)
#pragma once

#include <gtk/gtk.h>

struct tiles;

struct tiles *tiles_new(void);
void tiles_free(struct tiles *t); // NULL is fine
// An opaque surface of width x height to draw on, which belongs to the tiles. What it holds is any
// older picture.
cairo_surface_t *tiles_begin(struct tiles *t, int width, int height, int scale);
// What was drawn is the picture now. How many tiles differ from the picture before.
unsigned tiles_end(struct tiles *t);
void tiles_append(const struct tiles *t, GtkSnapshot *snapshot);
