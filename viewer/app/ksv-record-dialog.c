// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
#include "ksv-record-dialog.h"

#include "i18n.h"

struct _KsvRecordDialog {
	AdwWindow parent_instance;
	GtkEditable *command, *file;
	AdwComboRow *ram, *model, *cpus;
	GtkLabel *status;
	GtkButton *go;
	GtkSpinner *spinner;
	GSubprocess *process; // NULL: nothing runs
	GCancellable *cancel;
	char *output;
};

G_DEFINE_FINAL_TYPE(KsvRecordDialog, ksv_record_dialog, ADW_TYPE_WINDOW)

static guint recorded_signal;

static const char *const rams[] = {"64M", "256M", "512M", "1G", "2G", "4G", NULL};
static const char *const models[] = {"classic", "3.4", NULL};
static const char *const cpus[] = {"1", "2", "4", "8", NULL};

char *kalloscope_command(void)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
	// the build tree; the installed tree: libexec/kalloscope beside bin
	static const char *const where[] = {"../kalloscope", "../../bin/kalloscope"};

	for (unsigned i = 0; folder && i < G_N_ELEMENTS(where); i++) {
		g_autofree char *path = g_build_filename(folder, where[i], NULL);

		if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE) &&
		    !g_file_test(path, G_FILE_TEST_IS_DIR))
			return g_steal_pointer(&path);
	}
	return g_find_program_in_path("kalloscope");
}

// Where recordings go unless the user says otherwise: the name says what and when.
static char *default_output(const char *program)
{
	g_autofree char *base = g_path_get_basename(program);
	g_autoptr(GDateTime) now = g_date_time_new_now_local();
	g_autofree char *when = g_date_time_format(now, "%Y%m%d-%H%M%S");
	g_autofree char *name = g_strdup_printf("%s-%s.kalloscope", base, when);
	g_autofree char *folder =
		g_build_filename(g_get_user_data_dir(), "kalloscope", "recordings", NULL);

	g_mkdir_with_parents(folder, 0700);
	return g_build_filename(folder, name, NULL);
}

static void set_running(KsvRecordDialog *self, gboolean running)
{
	gtk_button_set_label(self->go, running ? _("Stop") : _("Record"));
	if (running)
		gtk_spinner_start(self->spinner);
	else
		gtk_spinner_stop(self->spinner);
}

static void say(KsvRecordDialog *self, const char *text, gboolean error)
{
	gtk_label_set_text(self->status, text);
	if (error)
		gtk_widget_add_css_class(GTK_WIDGET(self->status), "error");
	else
		gtk_widget_remove_css_class(GTK_WIDGET(self->status), "error");
}

static void finished(GObject *object, GAsyncResult *result, gpointer data)
{
	g_autoptr(KsvRecordDialog) self = data;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL, *last = NULL;

	if (!g_subprocess_communicate_utf8_finish(G_SUBPROCESS(object), result, NULL, &text,
						  &error) ||
	    !self->process) {
		g_clear_object(&self->process);
		return; // the dialog was closed
	}
	set_running(self, FALSE);
	if (g_file_test(self->output, G_FILE_TEST_EXISTS)) {
		g_clear_object(&self->process);
		g_signal_emit(self, recorded_signal, 0, self->output);
		gtk_window_close(GTK_WINDOW(self));
		return;
	}
	last = g_strdup(text ? g_strstrip(text) : "");
	say(self, *last ? last : _("Nothing was recorded."), TRUE);
	g_clear_object(&self->process);
}

static const char *chosen(AdwComboRow *row, const char *const *list)
{
	return list[adw_combo_row_get_selected(row)];
}

static gboolean command_line(KsvRecordDialog *self, GStrvBuilder *b, GError **error)
{
	const char *text = gtk_editable_get_text(self->command);
	const char *file = gtk_editable_get_text(self->file);
	g_autofree char *kalloscope = kalloscope_command();
	g_auto(GStrv) words = NULL;

	if (!g_shell_parse_argv(text, NULL, &words, error))
		return FALSE;
	if (!kalloscope) {
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
			    _("The kalloscope command is not installed."));
		return FALSE;
	}
	g_free(self->output);
	self->output = *file ? g_strdup(file) : default_output(words[0]);
	g_strv_builder_add_many(b, kalloscope, "record", "--quiet", "--output", self->output,
				"--ram", chosen(self->ram, rams), "--model",
				chosen(self->model, models), "--cpus", chosen(self->cpus, cpus),
				"--", NULL);
	g_strv_builder_addv(b, (const char **)words);
	return TRUE;
}

static void start(KsvRecordDialog *self)
{
	g_autoptr(GStrvBuilder) b = g_strv_builder_new();
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) argv = NULL;

	if (!command_line(self, b, &error)) {
		say(self, error->message, TRUE);
		return;
	}
	argv = g_strv_builder_end(b);
	self->process = g_subprocess_newv(
		(const char *const *)argv,
		G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error);
	if (!self->process) {
		say(self, error->message, TRUE);
		return;
	}
	say(self, _("Recording… the program runs; close or stop it to look at what it did."),
	    FALSE);
	set_running(self, TRUE);
	g_subprocess_communicate_utf8_async(self->process, NULL, self->cancel, finished,
					    g_object_ref(self));
}

// The recorder hands the signal on: the program ends, and the recording with it.
static void on_go(KsvRecordDialog *self)
{
	if (self->process)
		g_subprocess_send_signal(self->process, 15);
	else
		start(self);
}

void ksv_record_dialog_run(KsvRecordDialog *self, const char *command)
{
	gtk_editable_set_text(self->command, command);
	if (!self->process)
		start(self);
}

const char *ksv_record_dialog_get_status(KsvRecordDialog *self)
{
	return gtk_label_get_text(self->status);
}

gboolean ksv_record_dialog_is_running(KsvRecordDialog *self)
{
	return self->process != NULL;
}

static void ksv_record_dialog_dispose(GObject *object)
{
	KsvRecordDialog *self = KSV_RECORD_DIALOG(object);

	if (self->process)
		g_subprocess_send_signal(self->process, 15);
	g_clear_object(&self->process);
	if (self->cancel)
		g_cancellable_cancel(self->cancel);
	g_clear_object(&self->cancel);
	g_clear_pointer(&self->output, g_free);
	G_OBJECT_CLASS(ksv_record_dialog_parent_class)->dispose(object);
}

static void ksv_record_dialog_class_init(KsvRecordDialogClass *class)
{
	G_OBJECT_CLASS(class)->dispose = ksv_record_dialog_dispose;
	recorded_signal = g_signal_new("recorded", KSV_TYPE_RECORD_DIALOG, G_SIGNAL_RUN_LAST, 0,
				       NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static GtkEditable *add_entry(AdwPreferencesGroup *group, const char *title)
{
	GtkWidget *row = adw_entry_row_new();

	adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), title);
	adw_preferences_group_add(group, row);
	return GTK_EDITABLE(row);
}

static AdwComboRow *add_choice(AdwPreferencesGroup *group, const char *title, const char *subtitle,
			       const char *const *list, guint selected)
{
	GtkWidget *row = adw_combo_row_new();
	g_autoptr(GtkStringList) names = gtk_string_list_new(list);

	adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), title);
	adw_action_row_set_subtitle(ADW_ACTION_ROW(row), subtitle);
	adw_combo_row_set_model(ADW_COMBO_ROW(row), G_LIST_MODEL(names));
	adw_combo_row_set_selected(ADW_COMBO_ROW(row), selected);
	adw_preferences_group_add(group, row);
	return ADW_COMBO_ROW(row);
}

static GtkWidget *fields(KsvRecordDialog *self)
{
	GtkWidget *page = adw_preferences_page_new();
	AdwPreferencesGroup *what = ADW_PREFERENCES_GROUP(adw_preferences_group_new());
	AdwPreferencesGroup *machine = ADW_PREFERENCES_GROUP(adw_preferences_group_new());

	self->command = add_entry(what, _("Program and arguments"));
	self->file = add_entry(what, _("Recording (empty: named by program and time)"));
	g_signal_connect_swapped(self->command, "entry-activated", G_CALLBACK(on_go), self);
	adw_preferences_group_set_title(machine, _("Machine"));
	self->ram = add_choice(machine, _("Memory"), _("HighMem exists above 896 MiB"), rams, 5);
	self->cpus = add_choice(machine, _("CPUs"), "", cpus, 1);
	self->model =
		add_choice(machine, _("Model"),
			   _("classic: textbook numbers; 3.4: as Linux 3.4 has them"), models, 0);
	adw_preferences_page_add(ADW_PREFERENCES_PAGE(page), what);
	adw_preferences_page_add(ADW_PREFERENCES_PAGE(page), machine);
	gtk_widget_set_vexpand(page, TRUE);
	return page;
}

static void ksv_record_dialog_init(KsvRecordDialog *self)
{
	GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0), *header = adw_header_bar_new();

	self->cancel = g_cancellable_new();
	self->go = GTK_BUTTON(gtk_button_new_with_label(_("Record")));
	gtk_widget_add_css_class(GTK_WIDGET(self->go), "suggested-action");
	g_signal_connect_swapped(self->go, "clicked", G_CALLBACK(on_go), self);
	self->spinner = GTK_SPINNER(gtk_spinner_new());
	adw_header_bar_pack_end(ADW_HEADER_BAR(header), GTK_WIDGET(self->go));
	adw_header_bar_pack_end(ADW_HEADER_BAR(header), GTK_WIDGET(self->spinner));
	self->status = GTK_LABEL(gtk_label_new(
		_("The program runs with your rights, in the folder the viewer was started in.")));
	gtk_label_set_wrap(self->status, TRUE);
	gtk_label_set_width_chars(self->status, 40);
	gtk_widget_set_margin_start(GTK_WIDGET(self->status), 18);
	gtk_widget_set_margin_end(GTK_WIDGET(self->status), 18);
	gtk_widget_set_margin_bottom(GTK_WIDGET(self->status), 14);
	gtk_box_append(GTK_BOX(box), header);
	gtk_box_append(GTK_BOX(box), fields(self));
	gtk_box_append(GTK_BOX(box), GTK_WIDGET(self->status));
	adw_window_set_content(ADW_WINDOW(self), box);
	gtk_window_set_title(GTK_WINDOW(self), _("Record a Program"));
	gtk_window_set_default_size(GTK_WINDOW(self), 560, 520);
}

GtkWindow *ksv_record_dialog_new(GtkWindow *parent)
{
	KsvRecordDialog *self =
		g_object_new(KSV_TYPE_RECORD_DIALOG, "transient-for", parent, "modal", TRUE, NULL);

	gtk_widget_grab_focus(GTK_WIDGET(self->command));
	return GTK_WINDOW(self);
}
