// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-canvas-private.h"

#include <math.h>

#include "../draw/flame.h"

G_DEFINE_FINAL_TYPE(KsvCanvas, ksv_canvas, GTK_TYPE_WIDGET)

guint canvas_signals[SIGNALS];

void canvas_invalidate(KsvCanvas *self)
{
	self->drawn = FALSE;
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

// Scroll positions that a shorter picture no longer has are pulled back; true: draw once more.
gboolean canvas_clamp_scroll(KsvCanvas *self)
{
	gboolean changed = FALSE;

	for (unsigned i = 0; i < self->out->npanes; i++) {
		double most = fmax(0, self->out->pane[i].content - self->out->pane[i].h);

		if (self->vp.scroll[i] > most || self->vp.scroll[i] < 0) {
			self->vp.scroll[i] = CLAMP(self->vp.scroll[i], 0, most);
			changed = TRUE;
		}
	}
	return changed;
}

double canvas_text_scale(GtkWidget *widget)
{
	int dpi = -1;

	g_object_get(gtk_widget_get_settings(widget), "gtk-xft-dpi", &dpi, NULL);
	return dpi > 0 ? CLAMP(dpi / 1024.0 / 96, 0.5, 4) : 1;
}

static void render(KsvCanvas *self, int width, int height, int scale)
{
	cairo_t *cr = cairo_create(tiles_begin(self->tiles, width, height, scale));

	self->text = canvas_text_scale(GTK_WIDGET(self));
	cairo_scale(cr, self->text, self->text);
	self->vp.width = width / self->text;
	self->vp.height = height / self->text;
	self->vp.out = self->out;
	self->view->draw(cr, self->model, &self->vp, self->pal);
	if (canvas_clamp_scroll(self))
		self->view->draw(cr, self->model, &self->vp, self->pal);
	cairo_destroy(cr);
	tiles_end(self->tiles);
	self->drawn = TRUE;
	if (*self->out->empty)
		gtk_accessible_update_property(GTK_ACCESSIBLE(self),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
					       self->out->empty, -1);
	self->width = width;
	self->height = height;
	self->scale = scale;
}

const struct hit *canvas_hit_of(KsvCanvas *self, enum hit_kind kind, uint64_t id)
{
	for (unsigned i = self->out->nhits; i-- > 0;) {
		const struct hit *h = &self->out->hit[i];

		if (h->kind == kind && id >= h->id &&
		    (h->columns ? id < h->id + h->count : id == h->id))
			return h;
	}
	return NULL;
}

static void outline(KsvCanvas *self, GtkSnapshot *snapshot, enum hit_kind kind, uint64_t id,
		    struct rgb c)
{
	const struct hit *h = kind == HIT_NONE ? NULL : canvas_hit_of(self, kind, id);
	GdkRGBA colour = {(float)c.r, (float)c.g, (float)c.b, 1};
	float border[4] = {2, 2, 2, 2};
	double x, y, w, height;
	GskRoundedRect rect;

	if (!h)
		return;
	hit_cell(h, id, &x, &y, &w, &height);
	x *= self->text;
	y *= self->text;
	w *= self->text;
	height *= self->text;
	gsk_rounded_rect_init_from_rect(
		&rect,
		&GRAPHENE_RECT_INIT((float)x - 2, (float)y - 2, (float)w + 3, (float)height + 3),
		0);
	gtk_snapshot_append_border(snapshot, &rect, border,
				   (GdkRGBA[]){colour, colour, colour, colour});
}

static void ksv_canvas_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
	KsvCanvas *self = KSV_CANVAS(widget);
	int width = gtk_widget_get_width(widget), height = gtk_widget_get_height(widget);
	int scale = gtk_widget_get_scale_factor(widget);
	const struct palette *pal = self->pal;

	if (!self->model || width < 2 || height < 2)
		return;
	if (!self->drawn || self->width != width || self->height != height || self->scale != scale)
		render(self, width, height, scale);
	gtk_snapshot_push_clip(snapshot, &GRAPHENE_RECT_INIT(0, 0, (float)width, (float)height));
	tiles_append(self->tiles, snapshot);
	outline(self, snapshot, self->selected_kind, self->selected_id, pal->focus);
	outline(self, snapshot, self->hover_kind, self->hover_id, pal->accent);
	gtk_snapshot_pop(snapshot);
}

static void ksv_canvas_measure(GtkWidget *widget, GtkOrientation orientation, int for_size,
			       int *minimum, int *natural, int *minimum_baseline,
			       int *natural_baseline)
{
	(void)widget;
	(void)for_size;
	*minimum = orientation == GTK_ORIENTATION_HORIZONTAL ? 320 : 160;
	*natural = orientation == GTK_ORIENTATION_HORIZONTAL ? 900 : 560;
	*minimum_baseline = *natural_baseline = -1;
}

gboolean canvas_describe(KsvCanvas *self, enum hit_kind kind, uint64_t id, char *buf, gsize size)
{
	if (kind == HIT_CALL) // a node of the tree that is drawn
		return call_describe(ksv_canvas_get_calls(self), id, buf, size);
	return hit_describe(self->model, kind, id, buf, size);
}

static gboolean on_tooltip(GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip,
			   gpointer data)
{
	KsvCanvas *self = KSV_CANVAS(widget);
	char text[512];
	uint64_t id;
	const struct hit *h;
	double cx, cy, cw, ch;

	(void)data;
	if (keyboard || !self->drawn)
		return FALSE;
	h = hit_find(self->out, x / self->text, y / self->text, &id);
	if (!h || !canvas_describe(self, h->kind, id, text, sizeof(text)))
		return FALSE;
	if (h->kind == HIT_PAGE && self->view->draw == draw_map)
		map_describe(self->model, &self->vp, id, text, sizeof(text));
	hit_cell(h, id, &cx, &cy, &cw, &ch);
	gtk_tooltip_set_text(tooltip, text);
	gtk_tooltip_set_tip_area(tooltip,
				 &(GdkRectangle){(int)(cx * self->text), (int)(cy * self->text),
						 MAX(1, (int)(cw * self->text)),
						 MAX(1, (int)(ch * self->text))});
	return TRUE;
}

void canvas_zoom_call(KsvCanvas *self, uint32_t id)
{
	self->vp.zoomed_call = id;
	self->vp.scroll[0] = 0;
	self->hover_kind = HIT_NONE;
	canvas_invalidate(self);
}

void ksv_canvas_set_cost(KsvCanvas *self, enum cost cost)
{
	if (cost >= COSTS || cost == self->vp.cost)
		return;
	self->vp.cost = cost;
	canvas_invalidate(self);
	g_signal_emit(self, canvas_signals[SIGNAL_COST], 0, (int)cost);
}

void ksv_canvas_set_search(KsvCanvas *self, const char *text)
{
	g_free(self->search);
	self->search = g_strdup(text);
	self->vp.search = self->search;
	canvas_invalidate(self);
}

void ksv_canvas_set_calls(KsvCanvas *self, struct calltree *calls, gboolean inverted)
{
	if (calls == self->calls && inverted == self->vp.inverted)
		return;
	self->vp.inverted = inverted;
	self->vp.scroll[0] = 0;
	calltree_unref(self->calls);
	self->calls = calls ? calltree_ref(calls) : NULL;
	self->vp.calls = self->calls;
	self->vp.zoomed_call = 0; // node numbers belong to one tree
	canvas_invalidate(self);
}

const struct calltree *ksv_canvas_get_calls(KsvCanvas *self)
{
	return self->calls ? self->calls : self->model ? self->model->calls : NULL;
}

uint32_t ksv_canvas_get_call(KsvCanvas *self)
{
	return self->vp.zoomed_call;
}

void ksv_canvas_zoom(KsvCanvas *self, int steps)
{
	double middle;
	int from = self->vp.zoom == MAP_ZOOM_FIT ? self->out->map_zoom : self->vp.zoom;

	if (self->view->draw != draw_map)
		return;
	middle = self->out->pane[0].content > 0 ? self->vp.scroll[0] / self->out->pane[0].content
						: 0;
	self->vp.zoom = steps ? CLAMP(from + steps, MAP_ZOOM_MIN, MAP_ZOOM_MAX) : MAP_ZOOM_FIT;
	canvas_invalidate(self);
	// the same part of the map stays in view: draw once to learn the new height
	if (self->width > 1) {
		render(self, self->width, self->height, self->scale);
		self->vp.scroll[0] = middle * self->out->pane[0].content;
		canvas_invalidate(self);
	}
}

// ---- what the map points out ----

static gboolean frame_of_area(const struct view_model *v, uint64_t area, uint64_t *pfn)
{
	if (area >= v->nareas)
		return FALSE;
	for (*pfn = 0; *pfn < v->max_pfn; ++*pfn)
		if (v->state[*pfn] == PS_VMALLOC && v->owner[*pfn] >= v->area[area].start &&
		    v->owner[*pfn] < v->area[area].end)
			return TRUE;
	return FALSE;
}

static struct map_focus focus_of_page(KsvCanvas *self)
{
	const struct view_model *v = self->model;
	uint64_t pfn = self->selected_id;

	if (pfn >= v->max_pfn)
		return (struct map_focus){FOCUS_NONE, 0};
	if (self->pointing == FOCUS_CACHE && v->state[pfn] != PS_SLAB)
		return (struct map_focus){FOCUS_NONE, 0};
	return (struct map_focus){self->pointing,
				  self->pointing == FOCUS_CACHE ? v->owner[pfn] : pfn};
}

// Free lists, caches, areas and windows that are selected are pointed out by themselves; of a page,
// what the user chose.
static void update_focus(KsvCanvas *self)
{
	struct map_focus f = {FOCUS_NONE, 0}, *now = &self->vp.focus;

	if (self->view->draw != draw_map || !self->model)
		return;
	if (self->selected_kind == HIT_FREE_AREA)
		f = (struct map_focus){FOCUS_FREE_LIST, self->selected_id};
	else if (self->selected_kind == HIT_CACHE)
		f = (struct map_focus){FOCUS_CACHE, self->selected_id};
	else if (self->selected_kind == HIT_AREA)
		f.kind = frame_of_area(self->model, self->selected_id, &f.id) ? FOCUS_BLOCK
									      : FOCUS_NONE;
	else if (self->selected_kind == HIT_PAGES)
		f = (struct map_focus){FOCUS_PAGES, self->selected_id};
	else if (self->selected_kind == HIT_PAGE)
		f = focus_of_page(self);
	else if (now->kind == FOCUS_CATEGORY && self->selected_kind == HIT_LEGEND)
		f = *now;
	if (f.kind == now->kind && f.id == now->id)
		return;
	*now = f;
	canvas_invalidate(self);
}

void ksv_canvas_set_colour(KsvCanvas *self, enum map_colour colour)
{
	if (colour >= MAP_COLOURS || colour == self->vp.colour)
		return;
	self->vp.colour = colour;
	if (self->selected_kind == HIT_LEGEND) // its categories mean something else now
		ksv_canvas_select(self, HIT_NONE, 0);
	canvas_invalidate(self);
	g_signal_emit(self, canvas_signals[SIGNAL_MAP], 0);
}

void ksv_canvas_set_pointing(KsvCanvas *self, enum focus_kind pointing)
{
	if (pointing > FOCUS_SITE || pointing == self->pointing)
		return;
	self->pointing = pointing;
	update_focus(self);
	g_signal_emit(self, canvas_signals[SIGNAL_MAP], 0);
}

enum map_colour ksv_canvas_get_colour(KsvCanvas *self)
{
	return self->vp.colour;
}

enum focus_kind ksv_canvas_get_pointing(KsvCanvas *self)
{
	return self->pointing;
}

gboolean ksv_canvas_wants_holders(KsvCanvas *self)
{
	return self->vp.colour == MAP_BY_AGE || self->vp.colour == MAP_BY_SITE ||
	       self->pointing == FOCUS_SITE;
}

void ksv_canvas_set_holders(KsvCanvas *self, struct holders *holders)
{
	if (holders == self->holders)
		return;
	holders_unref(self->holders);
	self->holders = holders ? holders_ref(holders) : NULL;
	self->vp.holders = self->holders;
	canvas_invalidate(self);
}

static void tell_selected(KsvCanvas *self)
{
	char text[512];

	if (canvas_describe(self, self->selected_kind, self->selected_id, text, sizeof(text)))
		gtk_accessible_update_property(GTK_ACCESSIBLE(self),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

void ksv_canvas_select(KsvCanvas *self, enum hit_kind kind, uint64_t id)
{
	const struct hit *h;
	double x, y, w, height;

	self->selected_kind = kind;
	self->selected_id = id;
	if (kind == HIT_LEGEND)
		self->vp.focus = (struct map_focus){FOCUS_CATEGORY, id};
	update_focus(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
	if (self->model && kind != HIT_NONE && gtk_widget_get_mapped(GTK_WIDGET(self)))
		tell_selected(self);
	// scroll to it: cells far away in the same zone have a position all the same
	h = kind == HIT_PAGE && self->out->npanes ? canvas_hit_of(self, kind, id) : NULL;
	if (!h)
		return;
	hit_cell(h, id, &x, &y, &w, &height);
	if (y < self->out->pane[0].y || y + height > self->out->pane[0].y + self->out->pane[0].h) {
		self->vp.scroll[0] += y - self->out->pane[0].y - self->out->pane[0].h / 2;
		canvas_clamp_scroll(self);
		canvas_invalidate(self);
	}
}

void ksv_canvas_set_step(KsvCanvas *self, unsigned step, double moment)
{
	if (step != self->vp.step) {
		self->vp.scroll[1] = 0;
		// the chosen row stays in view
		self->vp.scroll[0] =
			self->view->draw == draw_steps ? MAX(0, ((int)step - 8) * 24) : 0;
	}
	self->vp.step = step;
	self->vp.moment = moment;
	canvas_invalidate(self);
}

void ksv_canvas_draw(KsvCanvas *self, cairo_t *cr, int width, int height)
{
	struct viewport vp = self->vp;

	if (!self->model)
		return;
	vp.width = width;
	vp.height = height;
	vp.bare = FALSE;
	vp.out = NULL;
	self->view->draw(cr, self->model, &vp, self->pal);
}

void ksv_canvas_set_letters(KsvCanvas *self, gboolean on)
{
	self->letters = on;
}

unsigned ksv_canvas_get_step(KsvCanvas *self)
{
	return self->vp.step;
}

// What the picture says, in a sentence, for those who cannot see it.
static void describe(KsvCanvas *self)
{
	g_autoptr(GString) text = g_string_new(NULL);
	const struct view_model *v = self->model;
	uint32_t count[PAGE_STATES] = {0};

	for (unsigned z = 0; z < v->nzones; z++) {
		for (unsigned s = 0; s < PAGE_STATES; s++)
			count[s] += v->zone[z].state[s];
		g_string_append_printf(text, "%s %s free. ", v->zone[z].name,
				       fmt_pages(v->zone[z].free).s);
	}
	for (unsigned s = PS_RESERVED; s < PAGE_STATES; s++)
		if (count[s])
			g_string_append_printf(text, "%s %s. ", page_state_name(s),
					       fmt_count(count[s]).s);
	g_string_append_printf(text, "%u slab caches, %u vmalloc areas, %u kmap windows in use.",
			       v->ncaches, v->nareas, v->kmap.in_use);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
				       text->str, -1);
}

void ksv_canvas_set_model(KsvCanvas *self, struct view_model *model)
{
	gboolean same =
		self->model && model && self->view->same && self->view->same(self->model, model);

	g_return_if_fail(KSV_IS_CANVAS(self));
	// node numbers belong to one tree
	if (self->model && model && self->model->calls != model->calls && model->calls)
		self->vp.zoomed_call = 0;
	model_unref(self->model);
	self->model = model ? model_ref(model) : NULL;
	update_focus(self);
	if (!same)
		canvas_invalidate(self);
	if (model && gtk_widget_get_mapped(GTK_WIDGET(self)))
		describe(self);
}

void ksv_canvas_set_palette(KsvCanvas *self, const struct palette *pal)
{
	self->pal = pal;
	canvas_invalidate(self);
}

static void ksv_canvas_map(GtkWidget *widget)
{
	KsvCanvas *self = KSV_CANVAS(widget);

	GTK_WIDGET_CLASS(ksv_canvas_parent_class)->map(widget);
	if (self->model)
		describe(self);
}

static void ksv_canvas_finalize(GObject *object)
{
	KsvCanvas *self = KSV_CANVAS(object);

	tiles_free(self->tiles);
	model_unref(self->model);
	g_free(self->out);
	g_free(self->search);
	calltree_unref(self->calls);
	holders_unref(self->holders);
	G_OBJECT_CLASS(ksv_canvas_parent_class)->finalize(object);
}

static void ksv_canvas_class_init(KsvCanvasClass *class)
{
	GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->finalize = ksv_canvas_finalize;
	widget_class->snapshot = ksv_canvas_snapshot;
	widget_class->measure = ksv_canvas_measure;
	widget_class->map = ksv_canvas_map;
	gtk_widget_class_set_css_name(widget_class, "canvas");
	gtk_widget_class_set_accessible_role(widget_class, GTK_ACCESSIBLE_ROLE_IMG);
	canvas_signals[SIGNAL_PICKED] =
		g_signal_new("picked", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
			     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_UINT64);
	canvas_signals[SIGNAL_OPENED] =
		g_signal_new("opened", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
			     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_UINT64);
	canvas_signals[SIGNAL_MAP] = g_signal_new("map-changed", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST,
						  0, NULL, NULL, NULL, G_TYPE_NONE, 0);
	canvas_signals[SIGNAL_COST] =
		g_signal_new("cost-changed", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
			     NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void ksv_canvas_init(KsvCanvas *self)
{
	self->out = g_new0(struct draw_result, 1);
	self->tiles = tiles_new();
	self->vp.zoom = MAP_ZOOM_FIT;
	self->vp.moment = 1;
	self->letters = TRUE;
	self->text = 1;
	self->pal = palette_get(FALSE);
	g_signal_connect_object(gtk_settings_get_default(), "notify::gtk-xft-dpi",
				G_CALLBACK(canvas_invalidate), self, G_CONNECT_SWAPPED);
	self->vp.bare = TRUE;
	canvas_add_input(self);
	gtk_widget_set_has_tooltip(GTK_WIDGET(self), TRUE);
	g_signal_connect(self, "query-tooltip", G_CALLBACK(on_tooltip), NULL);
	gtk_widget_set_focusable(GTK_WIDGET(self), TRUE);
	gtk_widget_set_hexpand(GTK_WIDGET(self), TRUE);
	gtk_widget_set_vexpand(GTK_WIDGET(self), TRUE);
}

GtkWidget *ksv_canvas_new(const struct view *view)
{
	KsvCanvas *self = g_object_new(KSV_TYPE_CANVAS, NULL);

	self->view = view;
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       view->title, -1);
	return GTK_WIDGET(self);
}
