// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// A hostile recording and every command that reads one.
//
//   input: byte (which command), 2 bytes (at which event), what to change (edit.c)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../db/cli.h"
#include "edit.h"
#include "ending.h"

enum {
	WORDS = 8
};

static const char *const commands_read[][WORDS] = {
	{"info"},
	{"verify"},
	{"proc", "--at", "@",
	 "buddyinfo,zoneinfo,pagetypeinfo,slabinfo,vmallocinfo,meminfo,vmstat"},
	{"proc", "--at", "end", "--process=2", "iomem,slabinfo,vmallocinfo,pagetypeinfo"},
	{"translate", "--at", "@", "0xc1000000"},
	{"translate", "0xf8001000"},
	{"boot-log"},
	{"report", "sites"},
	{"report", "peak"},
	{"report", "--json", "peak"},
	{"report", "leaks"},
	{"report", "sizes"},
	{"report", "lifetimes"},
	{"report", "temporary"},
	{"report", "threads"},
	{"report", "--at", "@", "slab"},
	{"report", "pressure"},
	{"report", "fragmentation"},
	{"report", "history", "c1000000"},
	{"report", "marks"},
	{"report", "--json", "summary"},
	{"report", "storage"},
	{"report", "--filter", "model", "--between", "@", "end", "sites"},
	{"export", "-F", "ftrace"},
	{"export", "-F", "folded"},
	{"export", "-F", "speedscope"},
	{"export", "-F", "pprof", "-o", "/dev/null"},
	{"export", "-F", "massif"},
	{"export", "-F", "perfetto"},
	{"export", "-F", "csv"},
	{"export", "--at", "@", "-F", "openmetrics"},
	{"export", "-F", "svg"},
	{"check", "--rule", "leaked_bytes<=1M"},
	{"diff", "/"},
	{"sql", "/", "SELECT * FROM events LIMIT 200"},
	{"sql", "/", "SELECT * FROM transitions LIMIT 200"},
	{"sql", "/", "SELECT * FROM stacks LIMIT 200"},
	{"sql", "/", "SELECT *, stack_text(stack) FROM sites LIMIT 200"},
};

static struct fuzz_base base;
static char path[160], original[160];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_base_make(&base);
	fuzz_edit_init(&base);
	snprintf(path, sizeof(path), "%s/changed", base.dir);
	snprintf(original, sizeof(original), "%s/original", base.dir);
	fuzz_write(original, base.recording.data, base.recording.size);
	fuzz_quiet();
	return 0;
}

static const struct command *find(const char *name)
{
	const struct command *c = commands;

	while (strcmp(c->name, name))
		c++;
	return c;
}

struct call {
	int argc;
	char **argv;
};

static void call(void *arg)
{
	struct call *c = arg;

	find(*c->argv)->run(c->argc, c->argv);
}

// "@" stands for the event, "/" for the file where it is not the last word.
static void run(const char *const *words, unsigned event)
{
	static char word[WORDS + 1][160];
	char *argv[WORDS + 2];
	bool file = false, diff = !strcmp(*words, "diff");
	int argc = 0;

	for (; argc < WORDS && words[argc]; argc++) {
		argv[argc] = word[argc];
		snprintf(word[argc], sizeof(word[argc]), "%s", words[argc]);
		if (!strcmp(words[argc], "@"))
			snprintf(word[argc], sizeof(word[argc]), "#%u", event);
		if (strcmp(words[argc], "/"))
			continue;
		strcpy(word[argc], diff ? original : path);
		file = true;
	}
	if (!file || diff)
		argv[argc++] = path;
	argv[argc] = NULL;
	fuzz_until_exit(call, &(struct call){argc, argv});
	fflush(stdout);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, data + size};
	unsigned which = (unsigned)fuzz_take(&in, 1);
	unsigned event = (unsigned)fuzz_take(&in, 2);

	fuzz_edit(&in, path);
	run(commands_read[which % (sizeof(commands_read) / sizeof(*commands_read))], event);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max);
}
