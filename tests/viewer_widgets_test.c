// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The viewer's widgets in a real display: roles and values for assistive tools, picking, scrolling,
// and the window's start and error pages. Skipped without a display.
#include <sys/mman.h>

#include "harness.h"
#include "viewer/app/ksv-event-list.h"
#include "viewer/app/ksv-event-panel.h"
#include "viewer/app/ksv-palette.h"
#include "viewer/app/ksv-record-dialog.h"
#include "viewer/app/ksv-scrubber.h"
#include "viewer/app/ksv-calls.h"
#include "viewer/app/ksv-sql-chart.h"
#include "viewer/app/ksv-sql-page.h"
#include "viewer/app/ksv-tiles.h"
#include "viewer/app/ksv-window-private.h"

static struct view_model *model;
static GtkWidget *window, *canvas, *scrubber;
static int picked_kind;
static guint64 picked_id, sought;

static bool make_model(void)
{
	struct machine_config cfg;
	struct machine m;
	const char *why = "";
	void *memory;

	machine_config_default(&cfg, MODEL_CLASSIC, 1ull << 30, 2);
	memory = mmap(NULL, machine_size(&cfg), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || machine_boot(&m, memory, &cfg, &why))
		return false;
	for (unsigned i = 0; i < 200; i++)
		kmalloc(&m, 500, GFP_KERNEL);
	model = model_create(&m, 0);
	if (!model)
		return false;
	model->first_event = 1;
	model->last_event = 1000;
	model->event = 500;
	model->bucket = calloc(2, sizeof(*model->bucket));
	for (unsigned i = 0; i < 2; i++, model->nbuckets++)
		model->bucket[i] = (struct timeline_bucket){.first_event = 1 + i * 500,
							    .last_event = 500 + i * 500,
							    .max = {1, 2 + i, 3, 4, 5}};
	return true;
}

static void iterate(int ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;

	while (g_get_monotonic_time() < end)
		g_main_context_iteration(NULL, FALSE);
}

static void on_picked(KsvCanvas *c, int kind, guint64 id, gpointer data)
{
	(void)c;
	(void)data;
	picked_kind = kind;
	picked_id = id;
}

static void on_seek(KsvScrubber *s, guint64 event, gpointer data)
{
	(void)s;
	(void)data;
	sought = event;
}

static void make_window(void)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);

	window = gtk_window_new();
	canvas = ksv_canvas_new(view_find("map"));
	scrubber = ksv_scrubber_new();
	g_signal_connect(canvas, "picked", G_CALLBACK(on_picked), NULL);
	g_signal_connect(scrubber, "seek", G_CALLBACK(on_seek), NULL);
	gtk_box_append(GTK_BOX(box), canvas);
	gtk_box_append(GTK_BOX(box), scrubber);
	gtk_window_set_child(GTK_WINDOW(window), box);
	gtk_window_set_default_size(GTK_WINDOW(window), 900, 700);
	ksv_canvas_set_model(KSV_CANVAS(canvas), model);
	ksv_scrubber_set_model(KSV_SCRUBBER(scrubber), model);
	ksv_scrubber_set_position(KSV_SCRUBBER(scrubber), 500);
	gtk_window_present(GTK_WINDOW(window));
	iterate(300);
}

static void pictures_have_a_role_and_a_name(void)
{
	g_autofree char *name = NULL;

	CHECK(gtk_test_accessible_has_role(GTK_ACCESSIBLE(canvas), GTK_ACCESSIBLE_ROLE_IMG));
	name = gtk_test_accessible_check_property(GTK_ACCESSIBLE(canvas),
						  GTK_ACCESSIBLE_PROPERTY_LABEL, "Memory map");
	CHECK(name == NULL);
	CHECK(gtk_test_accessible_has_property(GTK_ACCESSIBLE(canvas),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION));
}

static void the_scrubber_is_a_slider_with_a_value(void)
{
	g_autofree char *differs = NULL;

	CHECK(gtk_test_accessible_has_role(GTK_ACCESSIBLE(scrubber), GTK_ACCESSIBLE_ROLE_SLIDER));
	differs = gtk_test_accessible_check_property(GTK_ACCESSIBLE(scrubber),
						     GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, 500.0);
	CHECK(differs == NULL);
	ksv_scrubber_set_position(KSV_SCRUBBER(scrubber), 321);
	differs = gtk_test_accessible_check_property(GTK_ACCESSIBLE(scrubber),
						     GTK_ACCESSIBLE_PROPERTY_VALUE_NOW, 321.0);
	CHECK(differs == NULL);
}

static void widgets_take_the_focus(void)
{
	CHECK(gtk_widget_grab_focus(canvas));
	CHECK(gtk_window_get_focus(GTK_WINDOW(window)) == canvas);
	CHECK(gtk_widget_grab_focus(scrubber));
	CHECK(gtk_window_get_focus(GTK_WINDOW(window)) == scrubber);
}

// The picture as pixels: what the window shows, not what the drawing functions return.
static cairo_surface_t *pixels_of(GtkWidget *widget)
{
	int w = gtk_widget_get_width(widget), h = gtk_widget_get_height(widget);
	GdkPaintable *paintable = gtk_widget_paintable_new(widget);
	GtkSnapshot *snapshot = gtk_snapshot_new();
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w, h);
	GskRenderNode *node;
	cairo_t *cr = cairo_create(s);

	gdk_paintable_snapshot(paintable, snapshot, w, h);
	node = gtk_snapshot_free_to_node(snapshot);
	if (node)
		gsk_render_node_draw(node, cr);
	g_clear_pointer(&node, gsk_render_node_unref);
	cairo_destroy(cr);
	g_object_unref(paintable);
	return s;
}

static unsigned differing_pixels(cairo_surface_t *a, cairo_surface_t *b)
{
	size_t n = (size_t)cairo_image_surface_get_stride(a) / 4 *
		   (size_t)cairo_image_surface_get_height(a);
	const uint32_t *x = (const void *)cairo_image_surface_get_data(a);
	const uint32_t *y = (const void *)cairo_image_surface_get_data(b);
	unsigned d = 0;

	for (size_t i = 0; i < n; i++)
		d += x[i] != y[i];
	return d;
}

static void selecting_outlines_one_cell(void)
{
	cairo_surface_t *before, *after;
	unsigned differ;

	before = pixels_of(canvas);
	// the first frame of the zone Normal is reserved, so it is in no folded run
	ksv_canvas_select(KSV_CANVAS(canvas), HIT_PAGE, 0x1000);
	iterate(100);
	after = pixels_of(canvas);
	CHECK_EQ(cairo_image_surface_get_width(before), cairo_image_surface_get_width(after));
	differ = differing_pixels(before, after);
	CHECK(differ > 8);
	CHECK(differ < 2000);
	ksv_canvas_select(KSV_CANVAS(canvas), HIT_NONE, 0);
	cairo_surface_destroy(before);
	cairo_surface_destroy(after);
}

// A square at x, y on white; how many tiles it changed.
static unsigned draw_square(struct tiles *t, int width, int scale, double x, double y)
{
	cairo_t *cr = cairo_create(tiles_begin(t, width, 100, scale));

	cairo_set_source_rgb(cr, 1, 1, 1);
	cairo_paint(cr);
	cairo_set_source_rgb(cr, 0, 0, 0);
	cairo_rectangle(cr, x, y, 3, 3);
	cairo_fill(cr);
	cairo_destroy(cr);
	return tiles_end(t);
}

static bool is_black(struct tiles *t, int x, int y)
{
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 200, 100);
	GtkSnapshot *snapshot = gtk_snapshot_new();
	GskRenderNode *node;
	cairo_t *cr = cairo_create(s);
	bool black;

	tiles_append(t, snapshot);
	node = gtk_snapshot_free_to_node(snapshot);
	gsk_render_node_draw(node, cr);
	gsk_render_node_unref(node);
	cairo_destroy(cr);
	cairo_surface_flush(s);
	black = !(cairo_image_surface_get_data(s)[y * cairo_image_surface_get_stride(s) + x * 4]);
	cairo_surface_destroy(s);
	return black;
}

// 200 x 100 are eight tiles of 64.
static void only_tiles_that_differ_are_new(void)
{
	struct tiles *t = tiles_new();

	for (int scale = 1; scale < 3; scale++) {
		CHECK_EQ(draw_square(t, 200, scale, 10, 10), 8);
		CHECK_EQ(draw_square(t, 200, scale, 10, 10), 0);
		CHECK(is_black(t, 11, 11));
		CHECK_EQ(draw_square(t, 200, scale, 194, 90), 2);
		CHECK(is_black(t, 195, 91));
		CHECK(!is_black(t, 11, 11));
		CHECK_EQ(draw_square(t, 200, scale, 195, 90), 1);
		CHECK(is_black(t, 197, 91));
		CHECK(!is_black(t, 194, 91));
	}
	CHECK_EQ(draw_square(t, 100, 2, 10, 10), 4);
	tiles_free(t);
}

// What is kept of the timeline and what is drawn over it are the timeline as a whole.
static void the_scrubber_shows_the_timeline(void)
{
	int width = gtk_widget_get_width(scrubber), height = gtk_widget_get_height(scrubber);
	struct viewport vp = {.width = width, .height = height, .position = 700, .bare = true};
	cairo_surface_t *whole = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
	cairo_surface_t *shown;
	cairo_t *cr = cairo_create(whole);

	CHECK(gtk_widget_get_scale_factor(scrubber) == 1 && canvas_text_scale(scrubber) == 1);
	draw_timeline(cr, model, &vp, palette_get(FALSE));
	cairo_destroy(cr);
	ksv_scrubber_set_position(KSV_SCRUBBER(scrubber), 200);
	cairo_surface_destroy(pixels_of(scrubber));
	ksv_scrubber_expect_position(KSV_SCRUBBER(scrubber), 700);
	iterate(100); // it goes there without a model
	shown = pixels_of(scrubber);
	CHECK_EQ(differing_pixels(shown, whole), 0);
	cairo_surface_destroy(shown);
	cairo_surface_destroy(whole);
}

static void dark_and_light_differ(void)
{
	cairo_surface_t *before = pixels_of(canvas), *after;

	ksv_canvas_set_palette(KSV_CANVAS(canvas), palette_get(true));
	iterate(100);
	after = pixels_of(canvas);
	CHECK(differing_pixels(before, after) > 100000);
	ksv_canvas_set_palette(KSV_CANVAS(canvas), palette_get(false));
	cairo_surface_destroy(before);
	cairo_surface_destroy(after);
}

static GtkWidget *find_type(GtkWidget *root, GType type)
{
	if (G_TYPE_CHECK_INSTANCE_TYPE(root, type))
		return root;
	for (GtkWidget *w = gtk_widget_get_first_child(root); w;
	     w = gtk_widget_get_next_sibling(w)) {
		GtkWidget *found = find_type(w, type);

		if (found)
			return found;
	}
	return NULL;
}

static const char *visible_page(KsvWindow *w)
{
	GtkWidget *overlay = find_type(GTK_WIDGET(w), ADW_TYPE_TOAST_OVERLAY);

	return gtk_stack_get_visible_child_name(
		GTK_STACK(adw_toast_overlay_get_child(ADW_TOAST_OVERLAY(overlay))));
}

static void the_panel_says_what_happened(void)
{
	GtkWidget *panel = g_object_ref_sink(ksv_event_panel_new());
	struct event_row row = {
		.kind = EV_FREE, .path = PATH_HOST, .cache = HOST_FOREIGN, .addr = 16};
	struct transition_row t = {.t = {.kind = EV_T_MISUSE, .value = 2, .addr = 16, .count = 1}};
	g_autofree char *differs = NULL;

	ksv_event_panel_set_model(KSV_EVENT_PANEL(panel), model);
	CHECK(strstr(ksv_event_panel_get_text(KSV_EVENT_PANEL(panel)), "booted machine") != NULL);
	model->happened = calloc(1, sizeof(*model->happened));
	explain_event(model, &row, &t, 1, model->happened);
	ksv_event_panel_set_model(KSV_EVENT_PANEL(panel), model);
	CHECK(strstr(ksv_event_panel_get_text(KSV_EVENT_PANEL(panel)), "foreign pointer") != NULL);
	CHECK(strstr(ksv_event_panel_get_text(KSV_EVENT_PANEL(panel)), "misuse") != NULL);
	differs = gtk_test_accessible_check_property(
		GTK_ACCESSIBLE(panel), GTK_ACCESSIBLE_PROPERTY_LABEL, "What happened");
	CHECK(differs == NULL);
	g_object_unref(panel);
}

static void call_sites_sort_and_open(void)
{
	static const char *const paths[][2] = {
		{"small", "main"}, {"large", "main"}, {"large", "thread"}};
	GtkWidget *page = g_object_ref_sink(ksv_sites_page_new());
	GListModel *rows;
	GtkTreeListRow *first;

	model->callers = calltree_new();
	for (unsigned i = 0; i < 3; i++)
		calltree_add(model->callers, paths[i], 2,
			     &(struct site_row){i, 5, 100, 0, 0, 1000u << i, 0});
	ksv_sites_page_set_tree(KSV_SITES_PAGE(page), model->callers);
	rows = ksv_sites_page_get_rows(KSV_SITES_PAGE(page));
	CHECK_EQ(g_list_model_get_n_items(rows), 2);
	first = g_list_model_get_item(rows, 0);
	CHECK(gtk_tree_list_row_is_expandable(first));
	gtk_tree_list_row_set_expanded(first, TRUE);
	// "large" has most bytes at the peak, and two callers
	CHECK_EQ(g_list_model_get_n_items(rows), 4);
	g_object_unref(first);
	g_object_unref(page);
}

static void on_link(KsvSqlPage *page, const char *kind, guint64 value, gpointer data)
{
	(void)page;
	(void)data;
	picked_kind = !strcmp(kind, "event") ? HIT_EVENT : HIT_PAGE;
	picked_id = value;
}

static void ask(KsvSqlPage *page, const char *sql)
{
	ksv_sql_page_run(page, sql);
	for (int i = 0; i < 100 && ksv_sql_page_is_busy(page); i++)
		iterate(50);
}

static void sql_reads_and_nothing_else(void)
{
	const char *path;
	KsvSqlPage *page = KSV_SQL_PAGE(g_object_ref_sink(ksv_sql_page_new()));

	ksv_sql_page_set_path(page, "/nonexistent/nothing.kalloscope");
	ask(page, "SELECT 1");
	CHECK(strstr(ksv_sql_page_get_status(page), "nothing.kalloscope") != NULL);
	path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	if (path) {
		ksv_sql_page_set_path(page, path);
		ask(page, "SELECT id FROM events LIMIT 7");
		CHECK_EQ(ksv_sql_page_get_rows(page), 7);
		g_signal_connect(page, "link", G_CALLBACK(on_link), NULL);
		ksv_sql_page_activate(page, 2);
		CHECK_EQ(picked_kind, HIT_EVENT);
		CHECK_EQ(picked_id, 3);
		ksv_sql_page_recall(page, -1);
		ask(page, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
			  " SELECT i FROM n");
		CHECK_EQ(ksv_sql_page_get_rows(page), SQL_ROWS);
		CHECK(strstr(ksv_sql_page_get_status(page), "there are more") != NULL);
		ask(page, "DELETE FROM event_row");
		CHECK(strstr(ksv_sql_page_get_status(page), "Only statements that read") != NULL);
		ask(page, "ATTACH '/tmp/other' AS other");
		CHECK(strstr(ksv_sql_page_get_status(page), "not authorized") != NULL);
		ask(page, "SELECT x FROM nowhere");
		CHECK_STR(ksv_sql_page_get_status(page), "no such table: nowhere");
		ask(page, "SELECT id,\n missing FROM events");
		CHECK_STR(ksv_sql_page_get_status(page),
			  "line 2, column 2: no such column: missing");
		CHECK_EQ(ksv_sql_page_get_rows(page), SQL_ROWS);
	}
	g_object_unref(page);
}

static GPtrArray *rows_of(const char *const *text, unsigned n)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

	for (unsigned i = 0; i < n; i++)
		g_ptr_array_add(rows, g_strsplit(text[i], " ", -1));
	return rows;
}

static void two_columns_of_numbers_are_a_chart(void)
{
	static const char *const numbers[] = {"a 1 10", "b 2 20.5", "c 3 -7"};
	static const char *const words[] = {"a 1 ten", "b 2 20"};
	KsvSqlChart *chart = KSV_SQL_CHART(g_object_ref_sink(ksv_sql_chart_new()));
	g_auto(GStrv) columns = g_strsplit("name id bytes", " ", -1);
	struct sql_answer a = {.columns = columns};

	CHECK(gtk_test_accessible_has_role(GTK_ACCESSIBLE(chart), GTK_ACCESSIBLE_ROLE_IMG));
	a.rows = rows_of(numbers, 3);
	CHECK(ksv_sql_chart_set_answer(chart, &a));
	CHECK(gtk_test_accessible_has_property(GTK_ACCESSIBLE(chart),
					       GTK_ACCESSIBLE_PROPERTY_DESCRIPTION));
	g_ptr_array_unref(a.rows);
	a.rows = rows_of(words, 2);
	CHECK(!ksv_sql_chart_set_answer(chart, &a));
	g_ptr_array_unref(a.rows);
	a.rows = rows_of(numbers, 1); // one point is no chart
	CHECK(!ksv_sql_chart_set_answer(chart, &a));
	g_ptr_array_unref(a.rows);
	g_object_unref(chart);
}

static void key_with(GtkWidget *widget, guint value, GdkModifierType state)
{
	g_autoptr(GListModel) controllers = gtk_widget_observe_controllers(widget);

	for (guint i = 0; i < g_list_model_get_n_items(controllers); i++) {
		g_autoptr(GtkEventController) c = g_list_model_get_item(controllers, i);
		gboolean used;

		if (GTK_IS_EVENT_CONTROLLER_KEY(c))
			g_signal_emit_by_name(c, "key-pressed", value, 0, state, &used);
	}
	iterate(60);
}

static void key(GtkWidget *widget, guint value)
{
	key_with(widget, value, 0);
}

// What a pointer picks the keyboard picks, too.
static void a_cursor_reaches_what_is_drawn(void)
{
	GtkWidget *zones = ksv_canvas_new(view_find("zones"));

	g_signal_connect(zones, "picked", G_CALLBACK(on_picked), NULL);
	gtk_box_append(GTK_BOX(gtk_window_get_child(GTK_WINDOW(window))), zones);
	ksv_canvas_set_model(KSV_CANVAS(zones), model);
	iterate(200);
	picked_kind = HIT_NONE;
	CHECK(!ksv_canvas_has_cursor(KSV_CANVAS(zones)));
	key(zones, GDK_KEY_Return);
	CHECK(ksv_canvas_has_cursor(KSV_CANVAS(zones)));
	key(zones, GDK_KEY_Right);
	key(zones, GDK_KEY_Down);
	key(zones, GDK_KEY_Return);
	CHECK_EQ(picked_kind, HIT_FREE_AREA);
	CHECK_EQ(picked_id >> 16, 0);
	CHECK_EQ(picked_id >> 8 & 255, 1);
	CHECK_EQ(picked_id & 255, 1);
	key(zones, GDK_KEY_Escape);
	CHECK(!ksv_canvas_has_cursor(KSV_CANVAS(zones)));
	gtk_box_remove(GTK_BOX(gtk_window_get_child(GTK_WINDOW(window))), zones);
}

// Colours and what is pointed out change by key, and say so to the choosers.
static void keys_change_the_maps_colours(void)
{
	KsvCanvas *map = KSV_CANVAS(canvas);

	key(canvas, GDK_KEY_c);
	CHECK_EQ(ksv_canvas_get_colour(map), MAP_BY_ORDER);
	CHECK(!ksv_canvas_wants_holders(map));
	ksv_canvas_set_colour(map, MAP_BY_SITE);
	CHECK(ksv_canvas_wants_holders(map));
	key(canvas, GDK_KEY_h);
	CHECK_EQ(ksv_canvas_get_pointing(map), FOCUS_BLOCK);
	ksv_canvas_set_pointing(map, FOCUS_NONE);
	ksv_canvas_set_colour(map, MAP_BY_STATE);
}

// Shift and arrows pick out frames from where the cursor stands; what they are is told, and counted.
static void shift_picks_a_range_of_frames(void)
{
	const struct view_model *v = model;
	char text[512], wanted[96];
	uint32_t slab = 0;
	struct touch t;

	gulong id = g_signal_connect(canvas, "picked", G_CALLBACK(on_picked), NULL);
	pfn_t pfn = v->zone[1].start + 64;
	ksv_canvas_select(KSV_CANVAS(canvas), HIT_PAGE, pfn);
	for (unsigned i = 0; i < 3; i++)
		key_with(canvas, GDK_KEY_Right, GDK_SHIFT_MASK);
	CHECK_EQ(picked_kind, HIT_PAGES);
	CHECK_EQ(picked_id >> 32, pfn);
	CHECK((uint32_t)picked_id > pfn);
	CHECK(hit_describe(v, HIT_PAGES, picked_id, text, sizeof(text)));
	snprintf(wanted, sizeof(wanted), "pfn 0x%x – 0x%x", pfn, (pfn_t)picked_id);
	CHECK(strstr(text, wanted) == text);
	CHECK(selection_touch(v, HIT_PAGES, picked_id, &t));
	CHECK_EQ(t.first, model_page_address(v, pfn));
	CHECK_EQ(t.last, model_page_address(v, (pfn_t)picked_id) + 4095);
	key_with(canvas, GDK_KEY_Page_Up, GDK_SHIFT_MASK); // back past the beginning
	CHECK_EQ(picked_kind, HIT_PAGES);
	CHECK_EQ((uint32_t)picked_id, pfn);
	key(canvas, GDK_KEY_Escape);
	CHECK_EQ(picked_kind, HIT_PAGE);
	CHECK_EQ(picked_id, v->zone[0].start);
	g_signal_handler_disconnect(canvas, id);

	for (pfn = 0; pfn < v->max_pfn; pfn++)
		slab += v->state[pfn] == PS_SLAB;
	CHECK(hit_describe(v, HIT_PAGES, v->max_pfn - 1, text, sizeof(text)));
	snprintf(wanted, sizeof(wanted), "slab %s", fmt_count(slab).s);
	CHECK(strstr(text, wanted) != NULL);
	CHECK(!hit_describe(v, HIT_PAGES, v->max_pfn, text, sizeof(text)));
}

static void actions_are_found_by_any_word(void)
{
	GtkWindow *palette = ksv_palette_new(GTK_WINDOW(window));
	guint all = ksv_palette_count(palette, "");

	CHECK(all > 40);
	CHECK_EQ(ksv_palette_count(palette, "export png"), 1);
	CHECK_EQ(ksv_palette_count(palette, "PNG export"), 1);
	CHECK(ksv_palette_count(palette, "view:") >= VIEWS);
	CHECK_EQ(ksv_palette_count(palette, "no such thing"), 0);
	gtk_window_destroy(palette);
}

static void a_program_that_is_not_there_is_told(void)
{
	KsvRecordDialog *dialog = KSV_RECORD_DIALOG(ksv_record_dialog_new(GTK_WINDOW(window)));

	ksv_record_dialog_run(dialog, "");
	CHECK(strstr(ksv_record_dialog_get_status(dialog), "empty") != NULL);
	ksv_record_dialog_run(dialog, "'unfinished");
	CHECK(!ksv_record_dialog_is_running(dialog));
	gtk_window_destroy(GTK_WINDOW(dialog));
}

static bool is_file(const char *path, const char *start)
{
	g_autofree char *text = NULL;
	gsize n = 0;

	return g_file_get_contents(path, &text, &n, NULL) && n > 500 &&
	       !memcmp(text, start, strlen(start));
}

static gpointer (*real_item)(GListModel *list, guint position);
static guint rows_asked;

static gpointer counted_item(GListModel *list, guint position)
{
	rows_asked++;
	return real_item(list, position);
}

static KsvWindow *open_recording(const char *path)
{
	KsvWindow *w = ksv_window_new(NULL);

	gtk_window_present(GTK_WINDOW(w));
	ksv_window_open(w, path);
	for (int i = 0; i < 100 && strcmp(visible_page(w), "recording"); i++)
		iterate(100);
	return w;
}

static unsigned frames;

static void count_frame(void)
{
	frames++;
}

// Some steps to and fro: each finds its model made, is shown in one frame, and wants no other behind it,
// for which the next step would have to wait.
static gboolean steps_take_a_frame(KsvWindow *w)
{
	static const int by[] = {1, 1, -1, -1, -1, 1};
	gboolean good = TRUE;

	for (unsigned i = 0; i < G_N_ELEMENTS(by); i++) {
		uint64_t at = w->model->event + (uint64_t)(int64_t)by[i];

		frames = 0;
		ksv_window_step(w, by[i]);
		good &= w->model->event == at;
		iterate(100);
		good &= frames == 1 && w->model->event == at;
	}
	return good;
}

// On a busy machine the neighbours may come late, and what else was being read draws, too.
static void a_step_is_there_in_its_own_frame(void)
{
	const char *path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	gboolean good = FALSE;
	KsvWindow *w;
	uint64_t at;

	if (!path)
		return;
	w = open_recording(path);
	ksv_window_seek(w, w->first + 1000);
	iterate(400);
	g_signal_connect(gtk_widget_get_frame_clock(GTK_WIDGET(w)), "before-paint",
			 G_CALLBACK(count_frame), NULL);
	for (int i = 0; i < 8 && !good; i++)
		good = steps_take_a_frame(w);
	CHECK(good);
	at = w->model->event;
	ksv_window_step(w, 500); // is made when it is asked for
	CHECK_EQ(w->model->event, at);
	iterate(300);
	CHECK_EQ(w->model->event, at + 500);
	gtk_window_destroy(GTK_WINDOW(w));
	iterate(100);
}

// The work of GTK's table follows what is seen of it, whatever the number of events.
static void the_table_asks_for_few_rows(void)
{
	const char *path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	GTypeClass *class = g_type_class_ref(KSV_TYPE_EVENT_LIST);
	GListModelInterface *list = g_type_interface_peek(class, G_TYPE_LIST_MODEL);
	guint at_open, at_sight, at_end;
	KsvWindow *w;

	if (!path)
		return;
	real_item = list->get_item;
	list->get_item = counted_item;
	w = open_recording(path);
	iterate(300);
	CHECK(w->last > 5000);
	at_open = rows_asked;
	ksv_window_show_view(w, ksv_window_view_index("events"));
	iterate(300);
	at_sight = rows_asked - at_open;
	ksv_window_seek(w, w->last);
	iterate(300);
	at_end = rows_asked - at_open - at_sight;
	list->get_item = real_item;
	printf("# rows asked for: %u when opened, %u at first sight, %u for the end\n", at_open,
	       at_sight, at_end);
	CHECK_EQ(at_open, 0); // nobody looks yet
	CHECK(at_sight > 10 && at_sight < 2000);
	CHECK(at_end > 0 && at_end < 2000);
	gtk_window_destroy(GTK_WINDOW(w));
	g_type_class_unref(class);
	iterate(100);
}

static struct event_row shown_event(KsvWindow *w, guint at)
{
	GtkColumnView *table = ksv_events_page_get_table(w->events_page);
	g_autoptr(KsvEvent) event =
		g_list_model_get_item(G_LIST_MODEL(gtk_column_view_get_model(table)), at);

	return event ? *ksv_event_get_row(event) : (struct event_row){0};
}

// Until the search has ended, which a busy machine takes its time for.
static void search_ends(KsvWindow *w)
{
	for (int i = 0; i < 6000; i++) {
		while (g_main_context_iteration(NULL, FALSE))
			;
		if (!strstr(ksv_events_page_get_state(w->events_page), "…"))
			return;
		g_usleep(10000);
	}
}

static void sort_by(KsvWindow *w, const char *title, GtkSortType type)
{
	GtkColumnView *table = ksv_events_page_get_table(w->events_page);
	GListModel *columns = gtk_column_view_get_columns(table);

	for (guint i = 0; i < g_list_model_get_n_items(columns); i++) {
		g_autoptr(GtkColumnViewColumn) c = g_list_model_get_item(columns, i);

		if (!g_strcmp0(gtk_column_view_column_get_title(c), title))
			gtk_column_view_sort_by_column(table, c, type);
	}
	search_ends(w);
}

static void events_are_sorted_and_filtered(void)
{
	const char *path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	uint64_t first, second;
	guint all, n = 0;
	KsvWindow *w;

	if (!path)
		return;
	w = open_recording(path);
	ksv_window_show_view(w, ksv_window_view_index("events"));
	iterate(300);
	all = ksv_events_page_get_rows(w->events_page);
	sort_by(w, "Bytes", GTK_SORT_DESCENDING);
	CHECK_EQ(ksv_events_page_get_rows(w->events_page), all);
	first = shown_event(w, 0).req;
	second = shown_event(w, 1).req;
	CHECK(first >= second && second > shown_event(w, all / 2).req);
	sort_by(w, "Bytes", GTK_SORT_ASCENDING);
	CHECK(shown_event(w, 0).req > 0 && shown_event(w, 0).req < first);
	ksv_events_page_set_filter(w->events_page, "zone:Normal");
	search_ends(w);
	n = ksv_events_page_get_rows(w->events_page);
	CHECK(n > 0 && n < all);
	sort_by(w, "Event", GTK_SORT_DESCENDING);
	CHECK(shown_event(w, 0).id > shown_event(w, n - 1).id);
	ksv_events_page_set_position(w->events_page, shown_event(w, n - 1).id);
	CHECK(ksv_events_page_neighbour(w->events_page, 1) == shown_event(w, n - 2).id);
	ksv_events_page_set_filter(w->events_page, "size>4000m");
	search_ends(w);
	CHECK_EQ(ksv_events_page_get_rows(w->events_page), 0);
	ksv_events_page_set_filter(w->events_page, "");
	sort_by(w, "Event", GTK_SORT_ASCENDING);
	CHECK_STR(ksv_events_page_get_state(w->events_page), "");
	CHECK_EQ(ksv_events_page_get_rows(w->events_page), all);
	gtk_window_destroy(GTK_WINDOW(w));
	iterate(100);
}

static void the_view_is_exported(void)
{
	const char *path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	g_autoptr(GError) error = NULL;
	KsvWindow *w;

	if (!path)
		return;
	w = open_recording(path);
	CHECK_STR(visible_page(w), "recording");
	CHECK(ksv_window_export_picture(w, "export.png", &error));
	CHECK(is_file("export.png", "\x89PNG"));
	CHECK(ksv_window_export_picture(w, "export.svg", &error));
	CHECK(is_file("export.svg", "<?xml"));
	CHECK(ksv_window_export_table(w, "export.csv", &error));
	CHECK(is_file("export.csv", "Zone,First pfn"));
	CHECK(!ksv_window_export_picture(w, "/nonexistent/x.png", &error));
	CHECK(error && strstr(error->message, "/nonexistent/x.png"));
	gtk_window_destroy(GTK_WINDOW(w));
	iterate(100);
}

// Whatever is left of a recording is shown or refused in words.
static void cut_recordings_open_or_are_refused(void)
{
	const char *path = g_getenv("KALLOSCOPE_TEST_RECORDING");
	g_autofree char *bytes = NULL;
	gsize n;

	if (!path || !g_file_get_contents(path, &bytes, &n, NULL))
		return;
	for (unsigned tenth = 1; tenth < 10; tenth += 2) {
		KsvWindow *w = ksv_window_new(NULL);

		CHECK(g_file_set_contents("cut.kalloscope", bytes, (gssize)(n * tenth / 10), NULL));
		gtk_window_present(GTK_WINDOW(w));
		ksv_window_open(w, "cut.kalloscope");
		for (int i = 0; i < 100 && !strcmp(visible_page(w), "loading"); i++)
			iterate(50);
		CHECK(strcmp(visible_page(w), "loading"));
		gtk_window_destroy(GTK_WINDOW(w));
		iterate(50);
	}
}

static void a_missing_file_shows_the_error_page(void)
{
	KsvWindow *w = ksv_window_new(NULL);

	gtk_window_present(GTK_WINDOW(w));
	CHECK_STR(visible_page(w), "start");
	ksv_window_open(w, "/nonexistent/nothing.kalloscope");
	CHECK_STR(visible_page(w), "loading");
	for (int i = 0; i < 50 && strcmp(visible_page(w), "error"); i++)
		iterate(100);
	CHECK_STR(visible_page(w), "error");
	gtk_window_destroy(GTK_WINDOW(w));
	iterate(100);
}

int main(void)
{
	g_setenv("GTK_A11Y", "test", TRUE);
	g_setenv("GSK_RENDERER", "cairo", TRUE);
	if (!gtk_init_check()) {
		printf("1..0 # SKIP no display\n");
		return 0;
	}
	adw_init();
	if (!make_model())
		return 1;
	make_window();
	RUN(pictures_have_a_role_and_a_name);
	RUN(the_scrubber_is_a_slider_with_a_value);
	RUN(widgets_take_the_focus);
	RUN(selecting_outlines_one_cell);
	RUN(only_tiles_that_differ_are_new);
	RUN(the_scrubber_shows_the_timeline);
	RUN(dark_and_light_differ);
	RUN(the_panel_says_what_happened);
	RUN(call_sites_sort_and_open);
	RUN(sql_reads_and_nothing_else);
	RUN(two_columns_of_numbers_are_a_chart);
	RUN(a_cursor_reaches_what_is_drawn);
	RUN(keys_change_the_maps_colours);
	RUN(shift_picks_a_range_of_frames);
	RUN(actions_are_found_by_any_word);
	RUN(a_program_that_is_not_there_is_told);
	RUN(a_step_is_there_in_its_own_frame);
	RUN(the_table_asks_for_few_rows);
	RUN(events_are_sorted_and_filtered);
	RUN(the_view_is_exported);
	RUN(cut_recordings_open_or_are_refused);
	RUN(a_missing_file_shows_the_error_page);
	model_unref(model);
	return DONE();
}
