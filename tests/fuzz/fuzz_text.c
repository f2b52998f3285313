// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts people and programs write: options, rules, moments, addresses, suppressions, the
// maps of generated code, memory maps of the boot command line, packed recordings, session.json. Filters and
// positions of the viewer are read by fuzz_view.c.
//
//   input: byte (which), the text
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../core/procfs.h"
#include "../../db/boot_image.h"
#include "../../db/cli.h"
#include "../../db/figures.h"
#include "../../db/perf_map.h"
#include "../../db/recorder.h"
#include "../../db/session_file.h"
#include "base.h"
#include "ending.h"
#include "fuzz.h"
#include "machines.h"

enum {
	TEXT_LEN = 8192,
	WORDS = 32
};

static struct fuzz_base base;
static char original[160], file[160], unpacked[160];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_base_make(&base);
	snprintf(original, sizeof(original), "%s/original", base.dir);
	snprintf(file, sizeof(file), "%s/file", base.dir);
	snprintf(unpacked, sizeof(unpacked), "%s/unpacked", base.dir);
	fuzz_write(original, base.recording.data, base.recording.size);
	fuzz_quiet();
	return 0;
}

// A line a word.
static void options(char *text)
{
	char *argv[WORDS + 2] = {"record"}, err[ERR_LEN];
	struct record_options o;
	struct booted b;
	int argc = 1;

	for (char *w = strsep(&text, "\n"); w && argc < WORDS; w = strsep(&text, "\n"))
		argv[argc++] = w;
	options_default(&o);
	if (!options_parse(&o, argc, argv, err) && !boot_machine(&o.session.machine, &b, err))
		booted_free(&b);
}

static void generated_code(const char *text, size_t n)
{
	struct perf_map m = {0};
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	fuzz_write(path, text, n);
	perf_map_open(&m, getpid());
	perf_map_find(&m, n ? (uint64_t)text[0] << 12 : 0);
	perf_map_find(&m, UINT64_MAX);
	perf_map_close(&m);
	unlink(path);
}

static void command(int (*run)(int argc, char **argv), const char *name, const char *word,
		    char *last)
{
	char *argv[] = {(char *)name, (char *)word, last, NULL};

	run(3, argv);
}

static void leaks(const char *text, size_t n)
{
	char *argv[] = {"report", "--suppressions", file, "leaks", original, NULL};

	fuzz_write(file, text, n);
	cmd_report(5, argv);
}

static void slab_tunables(const char *text)
{
	static void *memory;
	struct machine_config cfg;
	struct machine m;

	fuzz_machine_config(0, &cfg);
	if (!memory) {
		memory = mmap(NULL, machine_size(&cfg), PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (memory == MAP_FAILED)
			abort();
		fuzz_machine_boot(0, memory);
	}
	machine_attach(&m, memory, machine_size(&cfg), 0, &machine_ops_none, NULL);
	slabinfo_write(&m, text);
}

// A session folder's, with its length kept: nothing ends at a zero byte.
static void session_json(const char *text, size_t n)
{
	char err[ERR_LEN], path[200];

	snprintf(path, sizeof(path), "%s/session.json", base.dir);
	fuzz_write(path, text, n);
	g_free(session_json_argv(base.dir, err));
}

struct text {
	uint8_t which;
	char *text;
	size_t n;
};

static void read_text(void *arg)
{
	char *unpack[] = {"unpack", "-f", "-o", unpacked, file, NULL};
	struct text *t = arg;
	char *text = t->text;
	size_t n = t->n;
	struct rule rule;

	switch (t->which % 9) {
	case 0:
		options(text);
		break;
	case 1:
		rule = rule_parse("diff", "--fail-if", text, true);
		rule_holds(&rule, 1, 2);
		break;
	case 2:
		cli_parse_at(text, &(struct cli_at){0});
		break;
	case 3:
		generated_code(text, n);
		break;
	case 4:
		leaks(text, n);
		break;
	case 5:
		command(cmd_translate, "translate", text, original);
		break;
	case 6:
		slab_tunables(text);
		break;
	case 7:
		fuzz_write(file, text, n);
		cmd_unpack(5, unpack);
		break;
	default:
		session_json(text, n);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[TEXT_LEN + 1];
	size_t n = size ? size - 1 : 0;

	n = n < TEXT_LEN ? n : TEXT_LEN;
	if (n)
		memcpy(text, data + 1, n);
	text[n] = 0;
	if (size)
		fuzz_until_exit(read_text, &(struct text){*data, text, n});
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max);
}
