// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Texts people and programs write: options, rules, moments, addresses, suppressions, the
// maps of generated code, memory maps of the boot command line, packed recordings. Filters and
// positions of the viewer are read by fuzz_view.c.
//
//   input: byte (which), the text
#include <setjmp.h>
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
#include "base.h"
#include "fuzz.h"
#include "machines.h"

enum {
	TEXT_LEN = 8192,
	WORDS = 32
};

static struct fuzz_base base;
static char original[160], file[160];
static jmp_buf ended;
static bool inside; // what may end the program

_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);
_Noreturn void __wrap_exit(int status)
{
	if (!inside)
		__real_exit(status);
	longjmp(ended, 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_base_make(&base);
	snprintf(original, sizeof(original), "%s/original", base.dir);
	snprintf(file, sizeof(file), "%s/file", base.dir);
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

static void read_text(unsigned which, char *text, size_t n)
{
	char *unpack[] = {"unpack", "-f", "-o", "/dev/null", file, NULL};

	struct rule rule;

	switch (which % 8) {
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
	default:
		fuzz_write(file, text, n);
		cmd_unpack(5, unpack);
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
	inside = true;
	if (size && !setjmp(ended))
		read_text(*data, text, n);
	inside = false;
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	(void)seed;
	return LLVMFuzzerMutate(data, size, max);
}
