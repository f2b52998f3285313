// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope-viewer: the application. One window per recording named on the command line.
#include <libintl.h>
#include <locale.h>

#include "ksv-window.h"

static void on_activate(GApplication *app)
{
	gtk_window_present(GTK_WINDOW(ksv_window_new(ADW_APPLICATION(app))));
}

static void on_open(GApplication *app, GFile **files, int n, const char *hint)
{
	(void)hint;
	for (int i = 0; i < n; i++) {
		g_autofree char *path = g_file_get_path(files[i]);
		KsvWindow *window = ksv_window_new(ADW_APPLICATION(app));

		if (path)
			ksv_window_open(window, path);
		gtk_window_present(GTK_WINDOW(window));
	}
}

static void quit(GSimpleAction *action, GVariant *parameter, gpointer app)
{
	(void)action;
	(void)parameter;
	g_application_quit(app);
}

static void on_startup(GApplication *app)
{
	static const GActionEntry entries[] = {{"quit", quit, NULL, NULL, NULL, {0}}};
	static const struct {
		const char *action, *keys[3];
	} accels[] = {
		{"app.quit", {"<Control>q"}},
		{"window.close", {"<Control>w"}},
		{"win.reload", {"F5"}},
		{"win.open", {"<Control>o"}},
		{"win.go-to", {"<Control>g"}},
		{"win.search", {"<Control>f"}},
		{"win.next-area", {"F6"}},
		{"win.palette", {"<Control><Shift>p"}},
		{"win.table", {"<Control>t"}},
		{"win.export::png", {"<Control>e"}},
		{"win.export::csv", {"<Control><Shift>e"}},
		{"win.record", {"<Control>r"}},
		{"win.duplicate", {"<Control>n"}},
		{"win.back", {"<Alt>Left"}},
		{"win.forward", {"<Alt>Right"}},
		{"win.bookmark", {"<Control>b"}},
		{"win.sidebar", {"F9"}},
		{"win.inspector", {"<Control>F9"}},
		{"win.full-screen", {"F11"}},
		{"win.show-help-overlay", {"<Control>question", "F1"}},
	};

	gtk_window_set_default_icon_name("org.kalloscope.Viewer");
	g_action_map_add_action_entries(G_ACTION_MAP(app), entries, G_N_ELEMENTS(entries), app);
	for (unsigned i = 0; i < G_N_ELEMENTS(accels); i++)
		gtk_application_set_accels_for_action(GTK_APPLICATION(app), accels[i].action,
						      (const char *const *)accels[i].keys);
	for (int i = 0; i < 10; i++) {
		g_autofree char *action = g_strdup_printf("win.view(%d)", i);
		g_autofree char *key = g_strdup_printf("<Control>%d", (i + 1) % 10);

		gtk_application_set_accels_for_action(GTK_APPLICATION(app), action,
						      (const char *const[]){key, NULL});
	}
}

int main(int argc, char **argv)
{
	g_autoptr(AdwApplication) app = NULL;

	setlocale(LC_ALL, "");
	bindtextdomain("kalloscope", KALLOSCOPE_LOCALEDIR);
	bind_textdomain_codeset("kalloscope", "UTF-8");
	textdomain("kalloscope");
	app = adw_application_new("org.kalloscope.Viewer",
				  G_APPLICATION_HANDLES_OPEN | G_APPLICATION_NON_UNIQUE);
	g_application_set_option_context_parameter_string(G_APPLICATION(app), "[RECORDING…]");
	g_signal_connect(app, "startup", G_CALLBACK(on_startup), NULL);
	g_signal_connect(app, "activate", G_CALLBACK(on_activate), NULL);
	g_signal_connect(app, "open", G_CALLBACK(on_open), NULL);
	return g_application_run(G_APPLICATION(app), argc, argv);
}
