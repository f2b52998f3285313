// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-scrubber.h"

#include "i18n.h"
#include "ksv-canvas.h"
#include "ksv-tiles.h"

struct _KsvScrubber {
	GtkWidget parent_instance;
	struct view_model *model;
	struct viewport vp;
	const struct palette *pal;
	double text; // as in KsvCanvas
	double pointer_x;
	gboolean brushing;
	uint64_t *marks;
	struct tiles *tiles;
	int width, height, scale; // of the last frame
	// All but what is said of the position: most of the time it takes to draw. NULL: to be drawn
	// again.
	cairo_surface_t *ground;
	uint64_t expected; // where the handle goes when `wait` ends
	guint wait;
};

G_DEFINE_FINAL_TYPE(KsvScrubber, ksv_scrubber, GTK_TYPE_WIDGET)

enum {
	SIGNAL_SEEK,
	SIGNAL_RANGE,
	SIGNAL_BRUSH,
	SIGNALS
};
static guint signals[SIGNALS];

enum {
	HEIGHT = 112,
	LEAST_RANGE = 20,
	WAIT_MS = 16, // for the model; then the handle goes ahead of it
};

// Draws everything in the next frame.
static void redraw(KsvScrubber *self)
{
	g_clear_pointer(&self->ground, cairo_surface_destroy);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static gboolean same_zones(const struct view_model *a, const struct view_model *b)
{
	for (unsigned i = 0; i < a->nzones && i < b->nzones; i++)
		if (memcmp(a->zone[i].watermark, b->zone[i].watermark,
			   sizeof(a->zone[i].watermark)))
			return FALSE;
	return a->nzones == b->nzones;
}

static gboolean same_ground(const struct view_model *a, const struct view_model *b)
{
	return a && b && a->first_event == b->first_event && a->last_event == b->last_event &&
	       a->nbuckets == b->nbuckets && a->nmarks == b->nmarks && same_zones(a, b) &&
	       (!a->nbuckets || !memcmp(a->bucket, b->bucket, a->nbuckets * sizeof(*a->bucket))) &&
	       (!a->nmarks || !memcmp(a->mark, b->mark, a->nmarks * sizeof(*a->mark)));
}

static void draw_layer(KsvScrubber *self, cairo_surface_t *on, draw_fn *draw)
{
	cairo_t *cr = cairo_create(on);

	if (on != self->ground) {
		cairo_set_source_surface(cr, self->ground, 0, 0);
		cairo_paint(cr);
	}
	cairo_scale(cr, self->text, self->text);
	draw(cr, self->model, &self->vp, self->pal);
	cairo_destroy(cr);
}

static void render(KsvScrubber *self)
{
	int scale = self->scale;
	cairo_surface_t *s = tiles_begin(self->tiles, self->width, self->height, scale);

	if (!self->ground) {
		self->ground = cairo_image_surface_create(CAIRO_FORMAT_RGB24, self->width * scale,
							  self->height * scale);
		cairo_surface_set_device_scale(self->ground, scale, scale);
		draw_layer(self, self->ground, draw_timeline_ground);
	}
	draw_layer(self, s, draw_timeline_now);
	tiles_end(self->tiles);
}

static void ksv_scrubber_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
	KsvScrubber *self = KSV_SCRUBBER(widget);
	int width = gtk_widget_get_width(widget), height = gtk_widget_get_height(widget);
	int scale = gtk_widget_get_scale_factor(widget);
	double text = canvas_text_scale(widget);

	if (!self->model || width < 2)
		return;
	if (text != self->text || width != self->width || height != self->height ||
	    scale != self->scale)
		g_clear_pointer(&self->ground, cairo_surface_destroy);
	self->text = text;
	self->width = width;
	self->height = height;
	self->scale = scale;
	self->vp.width = width / self->text;
	self->vp.height = height / self->text;
	render(self);
	tiles_append(self->tiles, snapshot);
	if (gtk_widget_has_visible_focus(widget))
		gtk_snapshot_render_focus(snapshot, gtk_widget_get_style_context(widget), 1, 1,
					  width - 2, height - 2);
}

static void ksv_scrubber_measure(GtkWidget *widget, GtkOrientation orientation, int for_size,
				 int *minimum, int *natural, int *minimum_baseline,
				 int *natural_baseline)
{
	(void)widget;
	(void)for_size;
	*minimum = *natural = orientation == GTK_ORIENTATION_HORIZONTAL
				      ? 320
				      : (int)(HEIGHT * canvas_text_scale(widget));
	*minimum_baseline = *natural_baseline = -1;
}

static void update_value(KsvScrubber *self)
{
	const struct view_model *v = self->model;
	g_autoptr(GString) value = NULL;

	if (!v)
		return;
	value = g_string_new(NULL);
	g_string_append_printf(value, _("event %s of %s, %s"), fmt_count(self->vp.position).s,
			       fmt_count(v->last_event).s, fmt_time(v->t_ns).s);
	for (unsigned z = 0; z < v->nzones; z++)
		g_string_append_printf(value, _(", %s %s used"), v->zone[z].name,
				       fmt_share(v->zone[z].present > v->zone[z].free
							 ? v->zone[z].present - v->zone[z].free
							 : 0,
						 v->zone[z].present)
					       .s);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_VALUE_MIN,
				       (double)v->first_event, GTK_ACCESSIBLE_PROPERTY_VALUE_MAX,
				       (double)v->last_event, GTK_ACCESSIBLE_PROPERTY_VALUE_NOW,
				       (double)self->vp.position,
				       GTK_ACCESSIBLE_PROPERTY_VALUE_TEXT, value->str,
				       // AT-SPI hears no value texts from GTK 4.8
				       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION, value->str, -1);
}

void ksv_scrubber_set_model(KsvScrubber *self, struct view_model *model)
{
	g_return_if_fail(KSV_IS_SCRUBBER(self));
	if (!same_ground(self->model, model))
		g_clear_pointer(&self->ground, cairo_surface_destroy);
	model_unref(self->model);
	self->model = model ? model_ref(model) : NULL;
	update_value(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

void ksv_scrubber_set_position(KsvScrubber *self, uint64_t event)
{
	g_clear_handle_id(&self->wait, g_source_remove);
	if (self->vp.position == event)
		return;
	self->vp.position = event;
	update_value(self);
	gtk_widget_queue_draw(GTK_WIDGET(self));
}

static gboolean waited(gpointer data)
{
	KsvScrubber *self = data;

	self->wait = 0;
	ksv_scrubber_set_position(self, self->expected);
	return G_SOURCE_REMOVE;
}

void ksv_scrubber_expect_position(KsvScrubber *self, uint64_t event)
{
	self->expected = event;
	if (!self->wait)
		self->wait = g_timeout_add(WAIT_MS, waited, self);
}

void ksv_scrubber_set_palette(KsvScrubber *self, const struct palette *pal)
{
	self->pal = pal;
	redraw(self);
}

static void set_range(KsvScrubber *self, uint64_t from, uint64_t to)
{
	self->vp.from = from;
	self->vp.to = to;
	redraw(self);
	g_signal_emit(self, signals[SIGNAL_RANGE], 0, from, to);
}

void ksv_scrubber_reset_range(KsvScrubber *self)
{
	self->vp.from = self->vp.to = 0;
	redraw(self);
}

void ksv_scrubber_set_brush(KsvScrubber *self, uint64_t from, uint64_t to)
{
	self->vp.brush_from = from;
	self->vp.brush_to = to;
	redraw(self);
}

void ksv_scrubber_set_marks(KsvScrubber *self, const uint64_t *events, guint n)
{
	g_free(self->marks);
	self->marks = g_memdup2(events, n * sizeof(*events));
	self->vp.marks = self->marks;
	self->vp.nmarks = n;
	redraw(self);
}

static void brush_to_x(KsvScrubber *self, double from, double to)
{
	uint64_t a, b;

	if (!self->model || !self->model->last_event)
		return;
	a = timeline_event_at(self->model, &self->vp, MIN(from, to) / self->text);
	b = timeline_event_at(self->model, &self->vp, MAX(from, to) / self->text);
	if (a == b)
		a = b = 0;
	ksv_scrubber_set_brush(self, a, b);
	g_signal_emit(self, signals[SIGNAL_BRUSH], 0, a, b);
}

static void seek_to_x(KsvScrubber *self, double x)
{
	if (self->model && self->model->last_event)
		g_signal_emit(self, signals[SIGNAL_SEEK], 0,
			      timeline_event_at(self->model, &self->vp, x / self->text));
}

static void on_drag_begin(GtkGestureDrag *drag, double x, double y, KsvScrubber *self)
{
	GdkModifierType state =
		gtk_event_controller_get_current_event_state(GTK_EVENT_CONTROLLER(drag));

	(void)y;
	gtk_widget_grab_focus(GTK_WIDGET(self));
	self->brushing = (state & GDK_SHIFT_MASK) != 0;
	if (self->brushing)
		brush_to_x(self, x, x);
	else
		seek_to_x(self, x);
}

static void on_drag_update(GtkGestureDrag *drag, double dx, double dy, KsvScrubber *self)
{
	double x, y;

	(void)dy;
	if (!gtk_gesture_drag_get_start_point(drag, &x, &y))
		return;
	if (self->brushing)
		brush_to_x(self, x, x + dx);
	else
		seek_to_x(self, x + dx);
}

static void show_brush_only(KsvScrubber *self)
{
	if (self->vp.brush_to)
		set_range(self, self->vp.brush_from, self->vp.brush_to);
	else
		set_range(self, 0, 0);
}

static void on_pressed(GtkGestureClick *gesture, int n_press, double x, double y, KsvScrubber *self)
{
	(void)gesture;
	(void)x;
	(void)y;
	if (n_press == 2)
		show_brush_only(self);
}

static void on_motion(GtkEventControllerMotion *controller, double x, double y, KsvScrubber *self)
{
	(void)controller;
	(void)y;
	self->pointer_x = x;
}

// What is under the pointer stays there.
static void zoom_at(KsvScrubber *self, double x, double factor)
{
	const struct view_model *v = self->model;
	uint64_t at, from, to;
	double width, part, first, last;

	if (!v || v->last_event <= v->first_event)
		return;
	at = timeline_event_at(v, &self->vp, x / self->text);
	from = self->vp.to ? self->vp.from : v->first_event;
	to = self->vp.to ? self->vp.to : v->last_event;
	width = MAX(LEAST_RANGE, (double)(to - from) * factor);
	part = (double)(at - from) / (double)(to - from);
	first = (double)at - part * width;
	last = first + width;
	if (first <= (double)v->first_event && last >= (double)v->last_event) {
		set_range(self, 0, 0);
		return;
	}
	first = CLAMP(first, (double)v->first_event, (double)v->last_event - 1);
	last = CLAMP(last, first + 1, (double)v->last_event);
	set_range(self, (uint64_t)first, (uint64_t)last);
}

static gboolean on_scroll(GtkEventControllerScroll *controller, double dx, double dy,
			  KsvScrubber *self)
{
	(void)controller;
	(void)dx;
	zoom_at(self, self->pointer_x, dy < 0 ? 0.8 : 1.25);
	return TRUE;
}

// Moves the events shown by a share of them.
static void pan(KsvScrubber *self, double share)
{
	const struct view_model *v = self->model;
	double width, from;

	if (!v || !self->vp.to)
		return;
	width = (double)(self->vp.to - self->vp.from);
	from = CLAMP((double)self->vp.from + share * width, (double)v->first_event,
		     (double)v->last_event - width);
	set_range(self, (uint64_t)from, (uint64_t)(from + width));
}

static gboolean on_key(GtkEventControllerKey *controller, guint key, guint code,
		       GdkModifierType state, KsvScrubber *self)
{
	double middle = gtk_widget_get_width(GTK_WIDGET(self)) / 2.0;

	(void)controller;
	(void)code;
	if (state & (GDK_CONTROL_MASK | GDK_ALT_MASK))
		return FALSE;
	switch (key) {
	case GDK_KEY_plus:
	case GDK_KEY_KP_Add:
	case GDK_KEY_w:
		zoom_at(self, middle, 0.8);
		return TRUE;
	case GDK_KEY_minus:
	case GDK_KEY_KP_Subtract:
	case GDK_KEY_s:
		zoom_at(self, middle, 1.25);
		return TRUE;
	case GDK_KEY_a:
		pan(self, -0.2);
		return TRUE;
	case GDK_KEY_d:
		pan(self, 0.2);
		return TRUE;
	case GDK_KEY_f:
		show_brush_only(self);
		return TRUE;
	case GDK_KEY_Escape:
		if (!self->vp.brush_to)
			return FALSE;
		ksv_scrubber_set_brush(self, 0, 0);
		g_signal_emit(self, signals[SIGNAL_BRUSH], 0, (guint64)0, (guint64)0);
		return TRUE;
	default:
		return FALSE;
	}
}

// The program's mark within three pixels of an event, NULL none.
static const char *mark_near(KsvScrubber *self, uint64_t event)
{
	const struct view_model *v = self->model;
	double pixel = (double)((self->vp.to ? self->vp.to - self->vp.from
					     : v->last_event - v->first_event)) /
		       MAX(1, self->vp.width);

	for (unsigned i = 0; i < v->nmarks; i++)
		if (ABS((double)v->mark[i].event - (double)event) <= 3 * pixel)
			return v->mark[i].text;
	return NULL;
}

static gboolean on_tooltip(GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip,
			   gpointer data)
{
	KsvScrubber *self = KSV_SCRUBBER(widget);
	g_autofree char *text = NULL;
	const char *mark;
	uint64_t at;

	(void)y;
	(void)data;
	if (keyboard || !self->model || !self->model->last_event)
		return FALSE;
	at = timeline_event_at(self->model, &self->vp, x / self->text);
	mark = mark_near(self, at);
	text = g_strdup_printf(_("event %s%s%s"), fmt_count(at).s, mark ? _("\nmark: ") : "",
			       mark ? mark : "");
	gtk_tooltip_set_text(tooltip, text);
	gtk_tooltip_set_tip_area(tooltip, &(GdkRectangle){x, 0, 1, HEIGHT});
	return TRUE;
}

static void ksv_scrubber_finalize(GObject *object)
{
	KsvScrubber *self = KSV_SCRUBBER(object);

	g_clear_handle_id(&self->wait, g_source_remove);
	g_clear_pointer(&self->ground, cairo_surface_destroy);
	tiles_free(self->tiles);
	model_unref(self->model);
	g_free(self->marks);
	G_OBJECT_CLASS(ksv_scrubber_parent_class)->finalize(object);
}

static void ksv_scrubber_class_init(KsvScrubberClass *class)
{
	GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(class);

	G_OBJECT_CLASS(class)->finalize = ksv_scrubber_finalize;
	widget_class->snapshot = ksv_scrubber_snapshot;
	widget_class->measure = ksv_scrubber_measure;
	gtk_widget_class_set_css_name(widget_class, "scrubber");
	gtk_widget_class_set_accessible_role(widget_class, GTK_ACCESSIBLE_ROLE_SLIDER);
	signals[SIGNAL_SEEK] = g_signal_new("seek", KSV_TYPE_SCRUBBER, G_SIGNAL_RUN_LAST, 0, NULL,
					    NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT64);
	signals[SIGNAL_RANGE] =
		g_signal_new("range", KSV_TYPE_SCRUBBER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
			     G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_UINT64);
	signals[SIGNAL_BRUSH] =
		g_signal_new("brush", KSV_TYPE_SCRUBBER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
			     G_TYPE_NONE, 2, G_TYPE_UINT64, G_TYPE_UINT64);
}

static void ksv_scrubber_init(KsvScrubber *self)
{
	GtkEventController *motion = gtk_event_controller_motion_new();
	GtkEventController *scroll =
		gtk_event_controller_scroll_new(GTK_EVENT_CONTROLLER_SCROLL_VERTICAL);
	GtkEventController *key = gtk_event_controller_key_new();
	GtkGesture *drag = gtk_gesture_drag_new(), *click = gtk_gesture_click_new();

	self->vp.bare = TRUE;
	self->text = 1;
	self->tiles = tiles_new();
	self->pal = palette_get(FALSE);
	g_signal_connect_object(gtk_settings_get_default(), "notify::gtk-xft-dpi",
				G_CALLBACK(gtk_widget_queue_resize), self, G_CONNECT_SWAPPED);
	g_signal_connect(motion, "motion", G_CALLBACK(on_motion), self);
	g_signal_connect(scroll, "scroll", G_CALLBACK(on_scroll), self);
	g_signal_connect(key, "key-pressed", G_CALLBACK(on_key), self);
	g_signal_connect(drag, "drag-begin", G_CALLBACK(on_drag_begin), self);
	g_signal_connect(drag, "drag-update", G_CALLBACK(on_drag_update), self);
	g_signal_connect(click, "pressed", G_CALLBACK(on_pressed), self);
	gtk_widget_add_controller(GTK_WIDGET(self), motion);
	gtk_widget_add_controller(GTK_WIDGET(self), scroll);
	gtk_widget_add_controller(GTK_WIDGET(self), key);
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(drag));
	gtk_widget_add_controller(GTK_WIDGET(self), GTK_EVENT_CONTROLLER(click));
	gtk_widget_set_has_tooltip(GTK_WIDGET(self), TRUE);
	g_signal_connect(self, "query-tooltip", G_CALLBACK(on_tooltip), NULL);
	gtk_widget_set_focusable(GTK_WIDGET(self), TRUE);
	gtk_widget_set_hexpand(GTK_WIDGET(self), TRUE);
	gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL,
				       _("Position in the recording"), -1);
}

GtkWidget *ksv_scrubber_new(void)
{
	return g_object_new(KSV_TYPE_SCRUBBER, NULL);
}
