// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-canvas.h"

#include <math.h>

struct _KsvCanvas {
	GtkWidget parent_instance;
	const struct view *view;
	struct view_model *model;
	struct viewport vp;
	struct draw_result *out;
	GskRenderNode *rendered; // NULL: to be drawn again
	int width, height, scale;
	const struct palette *pal;
	double text; // scale of the whole picture, as text is scaled
	enum hit_kind hover_kind, selected_kind;
	uint64_t hover_id, selected_id;
	double pointer_x, pointer_y;
	char *search;
	gboolean letters;
};

G_DEFINE_FINAL_TYPE(KsvCanvas, ksv_canvas, GTK_TYPE_WIDGET)

enum {
	SIGNAL_PICKED,
	SIGNAL_COST,
	SIGNALS
};
static guint signals[SIGNALS];

static void invalidate(KsvCanvas *self)
{
	g_clear_pointer(&self->rendered, gsk_render_node_unref);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

// Scroll positions that a shorter picture no longer has are pulled back; true: draw once more.
static gboolean clamp_scroll(KsvCanvas *self)
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

static cairo_surface_t *paint(KsvCanvas *self, int width, int height, int scale)
{
	cairo_surface_t *s =
		cairo_image_surface_create(CAIRO_FORMAT_RGB24, width * scale, height * scale);
	cairo_t *cr;

	cairo_surface_set_device_scale(s, scale, scale);
	cr = cairo_create(s);
	self->text = canvas_text_scale(GTK_WIDGET(self));
	cairo_scale(cr, self->text, self->text);
	self->vp.width = width / self->text;
	self->vp.height = height / self->text;
	self->vp.out = self->out;
	self->view->draw(cr, self->model, &self->vp, self->pal);
	if (clamp_scroll(self))
		self->view->draw(cr, self->model, &self->vp, self->pal);
	cairo_destroy(cr);
	return s;
}

static void render(KsvCanvas *self, int width, int height, int scale)
{
	graphene_rect_t bounds = GRAPHENE_RECT_INIT(0, 0, (float)width, (float)height);
	cairo_surface_t *s = paint(self, width, height, scale);
	cairo_t *cr;

	g_clear_pointer(&self->rendered, gsk_render_node_unref);
	self->rendered = gsk_cairo_node_new(&bounds);
	cr = gsk_cairo_node_get_draw_context(self->rendered);
	cairo_set_source_surface(cr, s, 0, 0);
	cairo_paint(cr);
	cairo_destroy(cr);
	cairo_surface_destroy(s);
	self->width = width;
	self->height = height;
	self->scale = scale;
}

static const struct hit *hit_of(KsvCanvas *self, enum hit_kind kind, uint64_t id)
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
	const struct hit *h = kind == HIT_NONE ? NULL : hit_of(self, kind, id);
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
	if (!self->rendered || self->width != width || self->height != height ||
	    self->scale != scale)
		render(self, width, height, scale);
	gtk_snapshot_push_clip(snapshot, &GRAPHENE_RECT_INIT(0, 0, (float)width, (float)height));
	gtk_snapshot_append_node(snapshot, self->rendered);
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

static void hover(KsvCanvas *self, double x, double y)
{
	uint64_t id = 0;
	const struct hit *h =
		self->rendered ? hit_find(self->out, x / self->text, y / self->text, &id) : NULL;
	enum hit_kind kind = h ? h->kind : HIT_NONE;

	self->pointer_x = x;
	self->pointer_y = y;
	// whole cards and plots are not outlined
	if (kind == HIT_ZONE || kind == HIT_TIMELINE || kind == HIT_SORT)
		kind = HIT_NONE;
	if (kind == self->hover_kind && id == self->hover_id)
		return;
	self->hover_kind = kind;
	self->hover_id = id;
	gtk_widget_trigger_tooltip_query(GTK_WIDGET(self));
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void on_motion(GtkEventControllerMotion *controller, double x, double y, KsvCanvas *self)
{
	(void)controller;
	hover(self, x, y);
}

static void on_leave(GtkEventControllerMotion *controller, KsvCanvas *self)
{
	(void)controller;
	hover(self, -1, -1);
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
	if (keyboard || !self->rendered)
		return FALSE;
	h = hit_find(self->out, x / self->text, y / self->text, &id);
	if (!h || !hit_describe(self->model, h->kind, id, text, sizeof(text)))
		return FALSE;
	hit_cell(h, id, &cx, &cy, &cw, &ch);
	gtk_tooltip_set_text(tooltip, text);
	gtk_tooltip_set_tip_area(tooltip,
				 &(GdkRectangle){(int)(cx * self->text), (int)(cy * self->text),
						 MAX(1, (int)(cw * self->text)),
						 MAX(1, (int)(ch * self->text))});
	return TRUE;
}

static void zoom_call(KsvCanvas *self, uint32_t id)
{
	self->vp.zoomed_call = id;
	self->vp.scroll[0] = 0;
	self->hover_kind = HIT_NONE;
	invalidate(self);
}

void ksv_canvas_set_cost(KsvCanvas *self, enum cost cost)
{
	if (cost >= COSTS || cost == self->vp.cost)
		return;
	self->vp.cost = cost;
	invalidate(self);
	g_signal_emit(self, signals[SIGNAL_COST], 0, (int)cost);
}

void ksv_canvas_set_search(KsvCanvas *self, const char *text)
{
	g_free(self->search);
	self->search = g_strdup(text);
	self->vp.search = self->search;
	invalidate(self);
}

uint32_t ksv_canvas_get_call(KsvCanvas *self)
{
	return self->vp.zoomed_call;
}

// Keys of the flame graph; FALSE: it has no use for this one.
static gboolean on_flame_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_flame || !self->model || !self->model->calls)
		return FALSE;
	if (key == GDK_KEY_c)
		ksv_canvas_set_cost(self, (self->vp.cost + 1) % COSTS);
	else if (key == GDK_KEY_Escape && self->vp.zoomed_call)
		zoom_call(self, calltree_node(self->model->calls, self->vp.zoomed_call)->parent);
	else if (key == GDK_KEY_f)
		zoom_call(self, 0);
	else
		return FALSE;
	return TRUE;
}

// Up and Down choose the stage of booting.
static gboolean on_boot_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_boot)
		return FALSE;
	if (key == GDK_KEY_Down && self->vp.step + 1 < BOOT_STAGES)
		ksv_canvas_set_step(self, self->vp.step + 1, 1);
	else if (key == GDK_KEY_Up && self->vp.step)
		ksv_canvas_set_step(self, self->vp.step - 1, 1);
	else
		return FALSE;
	return TRUE;
}

static void on_pressed(GtkGestureClick *gesture, int n_press, double x, double y, KsvCanvas *self)
{
	uint64_t id;
	const struct hit *h =
		self->rendered ? hit_find(self->out, x / self->text, y / self->text, &id) : NULL;

	(void)gesture;
	(void)n_press;
	gtk_widget_grab_focus(GTK_WIDGET(self));
	if (!h)
		return;
	if (h->kind == HIT_SORT) {
		self->vp.sort = (unsigned)id;
		invalidate(self);
		return;
	}
	if (h->kind == HIT_BOOT) {
		ksv_canvas_set_step(self, (unsigned)id, 1);
		return;
	}
	if (h->kind == HIT_CALL) {
		zoom_call(self, (uint32_t)id);
		return;
	}
	if (h->kind != HIT_STEP)
		ksv_canvas_select(self, h->kind, id);
	g_signal_emit(self, signals[SIGNAL_PICKED], 0, (int)h->kind, id);
}

static void scroll_by(KsvCanvas *self, double x, double y, double pixels)
{
	unsigned pane = 0;

	for (unsigned i = 0; i < self->out->npanes; i++) {
		const struct pane *p = &self->out->pane[i];

		if (x >= p->x && x < p->x + p->w && y >= p->y && y < p->y + p->h)
			pane = i;
	}
	self->vp.scroll[pane] += pixels;
	clamp_scroll(self);
	invalidate(self);
}

static gboolean on_scroll(GtkEventControllerScroll *controller, double dx, double dy,
			  KsvCanvas *self)
{
	GdkModifierType state =
		gtk_event_controller_get_current_event_state(GTK_EVENT_CONTROLLER(controller));

	(void)dx;
	if (state & GDK_CONTROL_MASK)
		ksv_canvas_zoom(self, dy < 0 ? 1 : -1);
	else
		scroll_by(self, self->pointer_x / self->text, self->pointer_y / self->text,
			  dy * 60);
	hover(self, self->pointer_x, self->pointer_y);
	return TRUE;
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
	invalidate(self);
	// the same part of the map stays in view: draw once to learn the new height
	if (self->width > 1) {
		render(self, self->width, self->height, self->scale);
		self->vp.scroll[0] = middle * self->out->pane[0].content;
		invalidate(self);
	}
}

gboolean ksv_canvas_has_cursor(KsvCanvas *self)
{
	return self->view->draw == draw_map && self->selected_kind == HIT_PAGE && self->model;
}

static void move_cursor(KsvCanvas *self, int64_t by)
{
	int64_t pfn = (int64_t)self->selected_id + by;

	pfn = CLAMP(pfn, 0, (int64_t)self->model->max_pfn - 1);
	ksv_canvas_select(self, HIT_PAGE, (uint64_t)pfn);
	g_signal_emit(self, signals[SIGNAL_PICKED], 0, (int)HIT_PAGE, (guint64)pfn);
}

// The start of the zone before or after the cursor's.
static void move_to_zone(KsvCanvas *self, int by)
{
	const struct view_model *v = self->model;
	const struct model_zone *z = model_zone_of(v, (pfn_t)self->selected_id);
	int to = (z ? (int)(z - v->zone) : 0) + by;

	to = CLAMP(to, 0, (int)v->nzones - 1);
	move_cursor(self, (int64_t)v->zone[to].start - (int64_t)self->selected_id);
}

static int64_t cursor_row(KsvCanvas *self)
{
	const struct hit *h = hit_of(self, HIT_PAGE, self->selected_id);

	return h && h->columns ? (int64_t)h->columns * h->per_cell : 64;
}

static int64_t cursor_cell(KsvCanvas *self)
{
	const struct hit *h = hit_of(self, HIT_PAGE, self->selected_id);

	return h && h->columns ? h->per_cell : 1;
}

// The first frame that is in use, for a cursor that is not there yet.
static void start_cursor(KsvCanvas *self)
{
	const struct view_model *v = self->model;
	pfn_t pfn = 0;

	while (pfn + 1 < v->max_pfn && v->state[pfn] <= PS_RESERVED)
		pfn++;
	self->selected_id = pfn;
	move_cursor(self, 0);
}

// Keys of the map's cell cursor; FALSE: not one of them.
static gboolean on_cursor_key(KsvCanvas *self, guint key)
{
	if (self->view->draw != draw_map || !self->model)
		return FALSE;
	if (!ksv_canvas_has_cursor(self)) {
		if (key != GDK_KEY_Return && key != GDK_KEY_KP_Enter)
			return FALSE;
		start_cursor(self);
		return TRUE;
	}
	if (key == GDK_KEY_Left)
		move_cursor(self, -cursor_cell(self));
	else if (key == GDK_KEY_Right)
		move_cursor(self, cursor_cell(self));
	else if (key == GDK_KEY_Up)
		move_cursor(self, -cursor_row(self));
	else if (key == GDK_KEY_Down)
		move_cursor(self, cursor_row(self));
	else if (key == GDK_KEY_Page_Up || key == GDK_KEY_Page_Down)
		move_to_zone(self, key == GDK_KEY_Page_Up ? -1 : 1);
	else
		return FALSE;
	return TRUE;
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvCanvas *self)
{
	double page = self->out->npanes ? self->out->pane[0].h : 0;

	(void)controller;
	(void)code;
	if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK))
		return FALSE;
	if (key < 128 && g_ascii_isalpha((char)key) && !self->letters)
		return FALSE;
	if (on_flame_key(self, key) || on_boot_key(self, key) || on_cursor_key(self, key))
		return TRUE;
	switch (key) {
	case GDK_KEY_Up:
		scroll_by(self, -1, -1, -40);
		return TRUE;
	case GDK_KEY_Down:
		scroll_by(self, -1, -1, 40);
		return TRUE;
	case GDK_KEY_Page_Up:
		scroll_by(self, -1, -1, -page);
		return TRUE;
	case GDK_KEY_Page_Down:
		scroll_by(self, -1, -1, page);
		return TRUE;
	case GDK_KEY_plus:
	case GDK_KEY_KP_Add:
	case GDK_KEY_w:
		ksv_canvas_zoom(self, 1);
		return TRUE;
	case GDK_KEY_minus:
	case GDK_KEY_KP_Subtract:
	case GDK_KEY_s:
		ksv_canvas_zoom(self, -1);
		return TRUE;
	case GDK_KEY_f:
		ksv_canvas_zoom(self, 0);
		return TRUE;
	case GDK_KEY_z:
		self->vp.unfolded = !self->vp.unfolded;
		invalidate(self);
		return TRUE;
	case GDK_KEY_a:
		scroll_by(self, -1, -1, -page / 3);
		return TRUE;
	case GDK_KEY_d:
		scroll_by(self, -1, -1, page / 3);
		return TRUE;
	default:
		return FALSE;
	}
}

static void tell_selected(KsvCanvas *self)
{
	char text[512];

	if (hit_describe(self->model, self->selected_kind, self->selected_id, text, sizeof(text)))
		gtk_accessible_update_property(GTK_ACCESSIBLE(self),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, text, -1);
}

void ksv_canvas_select(KsvCanvas *self, enum hit_kind kind, uint64_t id)
{
	const struct hit *h;
	double x, y, w, height;

	self->selected_kind = kind;
	self->selected_id = id;
	gtk_widget_queue_draw(GTK_WIDGET(self));
	if (self->model && kind != HIT_NONE && gtk_widget_get_mapped(GTK_WIDGET(self)))
		tell_selected(self);
	// scroll to it: cells far away in the same zone have a position all the same
	h = kind == HIT_PAGE && self->out->npanes ? hit_of(self, kind, id) : NULL;
	if (!h)
		return;
	hit_cell(h, id, &x, &y, &w, &height);
	if (y < self->out->pane[0].y || y + height > self->out->pane[0].y + self->out->pane[0].h) {
		self->vp.scroll[0] += y - self->out->pane[0].y - self->out->pane[0].h / 2;
		clamp_scroll(self);
		invalidate(self);
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
	invalidate(self);
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
	g_return_if_fail(KSV_IS_CANVAS(self));
	// node numbers belong to one tree
	if (self->model && model && self->model->calls != model->calls && model->calls)
		self->vp.zoomed_call = 0;
	model_unref(self->model);
	self->model = model ? model_ref(model) : NULL;
	invalidate(self);
	if (model && gtk_widget_get_mapped(GTK_WIDGET(self)))
		describe(self);
}

void ksv_canvas_set_palette(KsvCanvas *self, const struct palette *pal)
{
	self->pal = pal;
	invalidate(self);
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

	g_clear_pointer(&self->rendered, gsk_render_node_unref);
	model_unref(self->model);
	g_free(self->out);
	g_free(self->search);
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
	signals[SIGNAL_PICKED] =
		g_signal_new("picked", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
			     G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_UINT64);
	signals[SIGNAL_COST] = g_signal_new("cost-changed", KSV_TYPE_CANVAS, G_SIGNAL_RUN_LAST, 0,
					    NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void ksv_canvas_init(KsvCanvas *self)
{
	GtkEventController *motion = gtk_event_controller_motion_new();
	GtkEventController *scroll =
		gtk_event_controller_scroll_new(GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);
	GtkEventController *key = gtk_event_controller_key_new();
	GtkGesture *click = gtk_gesture_click_new();

	self->out = g_new0(struct draw_result, 1);
	self->vp.zoom = MAP_ZOOM_FIT;
	self->vp.moment = 1;
	self->letters = TRUE;
	self->text = 1;
	self->pal = palette_get(FALSE);
	g_signal_connect_object(gtk_settings_get_default(), "notify::gtk-xft-dpi",
				G_CALLBACK(invalidate), self, G_CONNECT_SWAPPED);
	self->vp.bare = TRUE;
	g_signal_connect(motion, "motion", G_CALLBACK(on_motion), self);
	g_signal_connect(motion, "leave", G_CALLBACK(on_leave), self);
	g_signal_connect(scroll, "scroll", G_CALLBACK(on_scroll), self);
	g_signal_connect(key, "key-pressed", G_CALLBACK(on_key), self);
	g_signal_connect(click, "pressed", G_CALLBACK(on_pressed), self);
	gtk_widget_add_controller(GTK_WIDGET(self), motion);
	gtk_widget_add_controller(GTK_WIDGET(self), scroll);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(click));
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
