// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// kalloscope proc: what the files in /proc would say at a moment of a recording.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/procfs.h"
#include "callers.h"
#include "cli.h"

const char *proc_file_name(int i, const void *ctx)
{
	(void)ctx;
	return proc_files[i].name;
}

// By its name, with or without /proc/. An unknown one ends the program.
static const struct proc_file *find_file(const char *name)
{
	const struct proc_file *f = proc_files;
	if (!strncmp(name, "/proc/", 6))
		name += 6;
	while (f->name && strcmp(f->name, name))
		f++;
	if (f->name)
		return f;
	cli_unknown("proc", "file", name, proc_file_name, NULL);
}

// The printers work like snprintf: once for the length, once for the text.
static int print(const struct proc_file *f, struct recording *r, int process, struct machine *m)
{
	int n = f->print(m, NULL, 0);
	char *text = malloc((size_t)n + 1);
	if (!text)
		return EXIT_FAILURE;
	f->print(m, text, (size_t)n + 1);
	if (!strcmp(f->name, "vmallocinfo"))
		print_with_callers(stdout, r, process, text);
	else
		fwrite(text, 1, (size_t)n, stdout);
	free(text);
	return EXIT_SUCCESS;
}

enum {
	FILES_MAX = 16,
};

// What is asked for: every file at every moment.
struct question {
	const struct proc_file *file[FILES_MAX];
	struct cli_at *at; // room for as many as there are arguments
	unsigned files, moments;
};

static void add_moment(struct question *q, const char *text)
{
	if (!cli_parse_at(text, &q->at[q->moments++]))
		cli_usage("proc", "--at %s: not an event (#123), a time (3.2s, 500ms) or end",
			  text);
}

// NAME[,NAME...]
static void add_files(struct question *q, char *names)
{
	for (char *name; (name = strsep(&names, ","));) {
		if (q->files == FILES_MAX)
			cli_usage("proc", "at most %d names at once", FILES_MAX);
		q->file[q->files++] = find_file(name);
	}
}

// Where more than one text comes, each has a head, in the manner of head(1).
static int print_all(const struct question *q, struct recording *r, int process, struct replay *p)
{
	static bool printed;
	int status = EXIT_SUCCESS;
	for (unsigned i = 0; i < q->files && !status; i++) {
		if (q->files * q->moments > 1)
			printf("%s==> %s at #%llu <==\n", printed ? "\n" : "", q->file[i]->name,
			       (unsigned long long)replay_position(p));
		printed = true;
		status = print(q->file[i], r, process, replay_machine(p));
	}
	return status;
}

// A damaged log still has a last good state, which is printed with a warning and status 1.
static int answer(const struct question *q, struct recording *r, int process)
{
	char err[512];
	const struct process_info *chosen = recording_process(r, process);
	process = chosen ? chosen->process : process;
	struct replay *p = replay_open(r, process, err, sizeof(err));
	int status = EXIT_SUCCESS;
	if (!p) {
		cli_error("%s", err);
		return EXIT_USAGE;
	}
	for (unsigned i = 0; i < q->moments && !status; i++) {
		int ret = replay_seek(p, cli_at_event(r, &q->at[i]));
		if (ret)
			cli_error("the recording is damaged before this event; what follows is the "
				  "state after event %llu and may be untrue",
				  (unsigned long long)replay_position(p));
		status = print_all(q, r, process, p);
		if (ret)
			status = EXIT_FAILURE;
	}
	replay_close(p);
	return status;
}

int cmd_proc(int argc, char **argv)
{
	struct question q = {.at = calloc((size_t)argc + 1, sizeof(*q.at))};
	int process = 0;
	struct cli c;
	if (!q.at)
		return EXIT_FAILURE;
	cli_init(&c, "proc", argc, argv);
	for (int id; (id = cli_next(&c)) != -1;) {
		if (id == 'a')
			add_moment(&q, c.value);
		if (id == 'p' && (process = atoi(c.value)) <= 0)
			cli_usage("proc", "--process %s: not a process number", c.value);
	}
	char **operand = cli_operands(&c, 2);
	add_files(&q, operand[0]);
	if (!q.moments)
		add_moment(&q, "end");
	struct recording *r = cli_open(operand[1]);
	int status = r ? answer(&q, r, process) : EXIT_USAGE;
	recording_close(r);
	free(q.at);
	return status;
}
