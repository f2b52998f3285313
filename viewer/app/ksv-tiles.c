// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-tiles.h"

enum {
	TILE = 64 // pixels of the widget; with smaller ones the nodes themselves begin to cost
};

struct tiles {
	int width, height, scale;	// of both surfaces
	cairo_surface_t *shown, *drawn; // the picture; what is drawn on, or NULL both
	int columns, rows;
	GskRenderNode **node; // of `shown`, row by row; NULL before the first picture
};

struct tiles *tiles_new(void)
{
	return g_new0(struct tiles, 1);
}

static void drop(struct tiles *t)
{
	for (int i = 0; t->node && i < t->columns * t->rows; i++)
		g_clear_pointer(&t->node[i], gsk_render_node_unref);
	g_clear_pointer(&t->node, g_free);
	g_clear_pointer(&t->shown, cairo_surface_destroy);
	g_clear_pointer(&t->drawn, cairo_surface_destroy);
}

void tiles_free(struct tiles *t)
{
	if (!t)
		return;
	drop(t);
	g_free(t);
}

static cairo_surface_t *surface_of(int width, int height, int scale)
{
	cairo_surface_t *s =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * scale, height * scale);

	cairo_surface_set_device_scale(s, scale, scale);
	return s;
}

cairo_surface_t *tiles_begin(struct tiles *t, int width, int height, int scale)
{
	if (t->width != width || t->height != height || t->scale != scale)
		drop(t);
	t->width = width;
	t->height = height;
	t->scale = scale;
	t->columns = (width + TILE - 1) / TILE;
	t->rows = (height + TILE - 1) / TILE;
	if (!t->shown) {
		t->shown = surface_of(width, height, scale);
		t->drawn = surface_of(width, height, scale);
	}
	return t->drawn;
}

static uint8_t *pixels_at(cairo_surface_t *s, const GdkRectangle *r, int row)
{
	return cairo_image_surface_get_data(s) +
	       (gsize)(r->y + row) * (gsize)cairo_image_surface_get_stride(s) + (gsize)r->x * 4;
}

// Of a tile, in pixels of the surface.
static GdkRectangle place_of(const struct tiles *t, int i)
{
	int x = i % t->columns * TILE, y = i / t->columns * TILE;

	return (GdkRectangle){x * t->scale, y * t->scale, MIN(TILE, t->width - x) * t->scale,
			      MIN(TILE, t->height - y) * t->scale};
}

static gboolean same(const struct tiles *t, const GdkRectangle *r)
{
	for (int row = 0; row < r->height; row++)
		if (memcmp(pixels_at(t->shown, r, row), pixels_at(t->drawn, r, row),
			   (gsize)r->width * 4))
			return FALSE;
	return TRUE;
}

// With pixels of its own: the surface is drawn on again.
static GskRenderNode *node_of(const struct tiles *t, const GdkRectangle *r)
{
	int width = r->width / t->scale, height = r->height / t->scale;
	float x = (float)(r->x / t->scale), y = (float)(r->y / t->scale);
	cairo_surface_t *s = surface_of(width, height, t->scale);
	GskRenderNode *node =
		gsk_cairo_node_new(&GRAPHENE_RECT_INIT(x, y, (float)width, (float)height));
	cairo_t *cr = gsk_cairo_node_get_draw_context(node);

	for (int row = 0; row < r->height; row++)
		memcpy(pixels_at(s, &(GdkRectangle){0, 0, r->width, r->height}, row),
		       pixels_at(t->drawn, r, row), (gsize)r->width * 4);
	cairo_surface_mark_dirty(s);
	cairo_set_source_surface(cr, s, x, y);
	cairo_paint(cr);
	cairo_destroy(cr);
	cairo_surface_destroy(s);
	return node;
}

unsigned tiles_end(struct tiles *t)
{
	gboolean first = !t->node;
	cairo_surface_t *s = t->shown;
	unsigned changed = 0;

	cairo_surface_flush(t->drawn);
	if (first)
		t->node = g_new0(GskRenderNode *, (gsize)(t->columns * t->rows));
	for (int i = 0; i < t->columns * t->rows; i++) {
		GdkRectangle r = place_of(t, i);

		if (!first && same(t, &r))
			continue;
		g_clear_pointer(&t->node[i], gsk_render_node_unref);
		t->node[i] = node_of(t, &r);
		changed++;
	}
	t->shown = t->drawn;
	t->drawn = s;
	return changed;
}

void tiles_append(const struct tiles *t, GtkSnapshot *snapshot)
{
	for (int i = 0; t->node && i < t->columns * t->rows; i++)
		gtk_snapshot_append_node(snapshot, t->node[i]);
}
