// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The viewer's budgets in its real window: jumps, steps, frames of the map, rest, memory.
//
//   window RECORDING [JUMPS]     needs a display; tests/bench/view.sh gives it one
//
// A jump has ended when the frame that shows the new event has been painted. One line a figure:
// what, value, unit, budget, and whether it is kept.
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "viewer/app/ksv-window-private.h"

enum {
	WIDTH = 1280,
	HEIGHT = 900,
	FRAMES = 60,
	REST_SECONDS = 5,
	GIVE_UP_MS = 60000,
};

static KsvWindow *window;
static unsigned painted;
static gint64 started, paint_start, paint_ns;
static const char *recording;
static int jumps = 200, missed;

static gint64 cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void on_before_paint(void)
{
	paint_start = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void on_after_paint(void)
{
	paint_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - paint_start;
	painted++;
}

static double ms_since(gint64 us)
{
	return (double)(g_get_monotonic_time() - us) / 1000;
}

// One frame after what is asked for has arrived.
static gboolean wait_for(uint64_t event)
{
	gint64 start = g_get_monotonic_time();
	unsigned before = 0;
	gboolean there = FALSE;

	while (ms_since(start) < GIVE_UP_MS) {
		g_main_context_iteration(NULL, TRUE);
		if (!there && window->model && window->model->event == event) {
			there = TRUE;
			before = painted;
		}
		if (there && painted > before)
			return TRUE;
	}
	return FALSE;
}

static void iterate(int ms)
{
	gint64 start = g_get_monotonic_time();

	while (ms_since(start) < ms)
		if (!g_main_context_iteration(NULL, FALSE))
			g_usleep(500);
}

static void say(const char *what, double value, const char *unit, double budget)
{
	printf("%-34s %9.2f %s (budget %g: %s)\n", what, value, unit, budget,
	       value <= budget ? "kept" : "MISSED");
	missed += value > budget;
	fflush(stdout);
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

// cpu: of the whole process, which other work on the machine does not lengthen; NULL: not taken.
static void say_quantiles(const char *what, double *ms, double *cpu, int n, double budget)
{
	char text[64];

	if (cpu) {
		qsort(cpu, (size_t)n, sizeof(*cpu), by_size);
		snprintf(text, sizeof(text), "%s, CPU", what);
		printf("%-34s %9.2f ms\n", text, cpu[n / 2]);
	}

	qsort(ms, (size_t)n, sizeof(*ms), by_size);
	printf("%-34s %9.2f ms\n", what, ms[n / 2]);
	snprintf(text, sizeof(text), "%s, 95th percentile", what);
	say(text, ms[n * 95 / 100], "ms", budget);
}

static uint64_t any_event(void)
{
	uint64_t span = window->last - window->first + 1;

	return window->first + (((uint64_t)rand() << 31) ^ (uint64_t)rand()) % span;
}

static void measure_jumps(void)
{
	g_autofree double *ms = g_new(double, (gsize)jumps), *cpu = g_new(double, (gsize)jumps);

	for (int i = 0; i < jumps; i++) {
		uint64_t to = any_event();
		gint64 start, used = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);

		if (to == window->request.event)
			to = window->first;
		start = g_get_monotonic_time();
		ksv_window_jump(window, to);
		if (!wait_for(to))
			g_error("event %" G_GUINT64_FORMAT " was never shown", to);
		ms[i] = ms_since(start);
		cpu[i] = (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e6;
		// the worker rests, as a person would; searches at rest are not part of a jump
		iterate(5);
	}
	say_quantiles("jump to a random event", ms, cpu, jumps, 100);
}

// The clock of frames rests before each step, as it does for somebody who presses a key: back to
// back, a step could not appear before the next tick, 16.7 ms after the last.
static void measure_steps(int by, const char *what)
{
	g_autofree double *ms = g_new(double, (gsize)jumps), *cpu = g_new(double, (gsize)jumps);

	for (int i = 0; i < jumps; i++) {
		uint64_t to;
		gint64 start, used;

		if (i % 20 == 0) {
			ksv_window_jump(window, window->first + (uint64_t)i + 1 +
							any_event() % (window->last / 2));
			wait_for(window->request.event);
			iterate(20);
		}
		iterate(20 + rand() % 16);
		to = window->request.event + (uint64_t)(int64_t)by;
		used = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
		start = g_get_monotonic_time();
		ksv_window_step(window, by);
		if (!wait_for(to))
			g_error("event %" G_GUINT64_FORMAT " was never shown", to);
		ms[i] = ms_since(start);
		cpu[i] = (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e6;
	}
	say_quantiles(what, ms, cpu, jumps, 16);
}

// What the drawing thread computes for a frame in which the whole map changed.
static void measure_frames(void)
{
	KsvCanvas *map = window->canvas[ksv_window_view_index("map")];
	g_autofree double *ms = g_new(double, FRAMES);
	char text[96];

	for (int i = 0; i < FRAMES; i++) {
		unsigned before = painted;

		ksv_canvas_set_palette(map, palette_get(i % 2 == 0)); // every pixel changes
		while (painted == before)
			g_main_context_iteration(NULL, TRUE);
		ms[i] = (double)paint_ns / 1e6;
	}
	snprintf(text, sizeof(text), "map frame, CPU (%dx%d)",
		 gtk_widget_get_width(GTK_WIDGET(map)), gtk_widget_get_height(GTK_WIDGET(map)));
	say_quantiles(text, ms, NULL, FRAMES, 16);
}

static gboolean wake_up(gpointer data)
{
	(void)data;
	return G_SOURCE_CONTINUE;
}

static void measure_rest(void)
{
	gint64 start;
	unsigned before;

	iterate(2000); // searches of the last position end
	start = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	before = painted;
	for (gint64 from = g_get_monotonic_time(); ms_since(from) < REST_SECONDS * 1000;) {
		guint timer = g_timeout_add(1000, wake_up, NULL);

		g_main_context_iteration(NULL, TRUE);
		g_source_remove(timer);
	}
	say("CPU a second at rest",
	    (double)(cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / 1e6 / REST_SECONDS, "ms", 1);
	say("frames painted at rest", painted - before, "", 0);
}

static void measure_memory(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	say("greatest resident memory", (double)u.ru_maxrss / 1024, "MiB", 300);
}

static void wait_for_content(void)
{
	while (!window->model && ms_since(started) < GIVE_UP_MS)
		g_main_context_iteration(NULL, TRUE);
	if (!window->model)
		g_error("%s was not opened", recording);
	wait_for(window->model->event);
	say("first content", ms_since(started), "ms", 2000);
	printf("%-34s %9" G_GUINT64_FORMAT "\n", "events", window->last - window->first + 1);
}

static void on_activate(AdwApplication *app)
{
	GdkFrameClock *clock;

	window = ksv_window_new(app);
	gtk_window_set_default_size(GTK_WINDOW(window), WIDTH, HEIGHT);
	ksv_window_open(window, recording);
	gtk_window_present(GTK_WINDOW(window));
	clock = gtk_widget_get_frame_clock(GTK_WIDGET(window));
	g_signal_connect(clock, "before-paint", G_CALLBACK(on_before_paint), NULL);
	g_signal_connect(clock, "after-paint", G_CALLBACK(on_after_paint), NULL);
	while (!painted)
		g_main_context_iteration(NULL, TRUE);
	say("window", ms_since(started), "ms", 500);
	wait_for_content();
	adw_flap_set_reveal_flap(window->side, FALSE);
	iterate(500);
	measure_frames();
	adw_flap_set_reveal_flap(window->side, TRUE);
	iterate(500);
	measure_jumps();
	measure_steps(1, "step forward");
	measure_steps(-1, "step back");
	measure_rest();
	measure_memory();
	gtk_window_close(GTK_WINDOW(window));
}

int main(int argc, char **argv)
{
	g_autoptr(AdwApplication) app = NULL;

	started = g_get_monotonic_time();
	if (argc < 2) {
		fprintf(stderr, "usage: window RECORDING [JUMPS]\n");
		return 2;
	}
	recording = argv[1];
	jumps = argc > 2 ? atoi(argv[2]) : jumps;
	if (jumps < 20)
		jumps = 20;
	srand(1);
	app = adw_application_new("org.kalloscope.Bench", G_APPLICATION_NON_UNIQUE);
	g_signal_connect(app, "activate", G_CALLBACK(on_activate), NULL);
	g_application_run(G_APPLICATION(app), 1, argv);
	return missed > 0;
}
