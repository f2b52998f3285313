// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What the subcommands of the kalloscope program share: options, messages, formats, places.
//
// Exit status of every command: 0; 1 the answer is "no" or the recording is damaged; 2 wrong usage or input.
// `record` passes on the program's own status, 2 when it could not start, and 126, 127 as shells do.
#pragma once

#include "exit_status.h"
#include "reader.h"

struct cli_option {
	const char *name;  // long name without dashes; NULL ends the table
	int id;		   // its letter, or a number above 255 when it has none
	const char *value; // name of its argument in the help; NULL: takes none
	const char *help;
};

struct command {
	const char *name;
	const char *operands; // "FILE QUERY"
	const char *summary;
	const struct cli_option *options;
	int (*run)(int argc, char **argv); // argv[0] is the command's name
	const char *notes;		   // more help, whole lines; may be NULL
	bool internal;			   // not listed, not suggested
};

extern const struct command commands[]; // ends with a NULL name

// What the machine is, in the tables of all commands that make one; options.c parses the values.
#define MACHINE_OPTIONS                                                                            \
	{"ram", 256, "SIZE", "memory of the machine (512M, 4G); default: 4G"},                     \
		{"cpus", 257, "N", "its CPUs, 1 to 8; default: the host's"},                       \
		{"model", 258, "NAME",                                                             \
		 "classic, 3.4 (Linux 3.4.113, bit for bit) or 3.4.2; default: classic"},          \
		{"vmalloc", 259, "SIZE", "room for vmalloc; default: what 128M leave"},            \
		{"highmem", 272, "SIZE",                                                           \
		 "memory above lowmem; default: what lowmem has no room for"},                     \
		{"split", 260, "SPLIT", "3G/1G, 2G/2G or 1G/3G; default: 3G/1G"},                  \
		{"e820-params", 271, "WORDS", "change its memory map: 'mem=512M memmap=64K$1M'"},  \
		{"min-free-kbytes", 267, "N",                                                      \
		 "the kernel's setting; default: computed from the memory"},                       \
		{"lowmem-reserve-ratio", 290, "A,B,C",                                             \
		 "the same, of DMA, Normal, HighMem; default: 256,32,32"},                         \
		{"percpu-pagelist-fraction", 291, "N",                                             \
		 "the same: lists of 1/N of a zone, 8 or more; default: 0, by its size"},          \
		{"slab-tune", 292, "CACHE:LIMIT:BATCH:SHARED",                                     \
		 "as written to /proc/slabinfo after boot; up to 8 times"},                        \
		{"slab-debug", 293, NULL, "as a kernel with DEBUG_SLAB: red zones, poison"},       \
		{"l1-bytes", 294, "N",                                                             \
		 "L1_CACHE_BYTES of its build: 16, 32, 64, 128; below 64 with size-96"},           \
	{                                                                                          \
		"cache-line", 295, "N", "cache line of its CPUs: 32, 64, 128; default: 64"         \
	}

// Walks the options of argv by cmd's table. A bad option and --help end the program.
struct cli {
	const struct command *cmd;
	int argc;
	char **argv;
	const char *value; // argument of the option returned last
	int optind;	   // first operand once cli_next has returned -1
};
void cli_init(struct cli *c, const char *command, int argc, char **argv);
int cli_next(struct cli *c); // id of the next option; -1 at the end
// The operands, exactly n of them; otherwise a message and exit 2.
char **cli_operands(struct cli *c, int n);

void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void cli_usage(const char *command, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
// The entry of a list of names nearest to word, NULL when none is near.
const char *cli_nearest(const char *word, const char *(*name)(int i, const void *ctx),
			const void *ctx);
// There is no such report, format ...: names the nearest and lists all of them.
_Noreturn void cli_unknown(const char *command, const char *what, const char *word,
			   const char *(*name)(int i, const void *ctx), const void *ctx);
// Such lists; NULL ends each.
const char *report_name(int i, const void *ctx);
const char *proc_file_name(int i, const void *ctx);
const char *format_name(int i, const void *ctx); // of export
const char *measure_by_index(int i, const void *ctx);
void cli_option_error(const char *command, const char *option); // unknown: names it and the nearest

struct recording *cli_open(const char *path); // NULL after a message

// An --at argument: #123 or 123 (event), 3.2s, 500ms, 20us (time since the start), end, mark:TEXT.
struct cli_at {
	enum {
		AT_EVENT,
		AT_TIME,
		AT_MARK,
		AT_END
	} kind;
	uint64_t event;
	int64_t ns;
	const char *mark; // text it begins with; the argument's own memory
};
bool cli_parse_at(const char *text, struct cli_at *at);
// A mark nobody made ends the program.
uint64_t cli_at_event(struct recording *r, const struct cli_at *at);

// Texts for people, in one of eight static buffers.
const char *fmt_bytes(uint64_t bytes); // "12.3 MiB"
const char *fmt_count(uint64_t n);     // "1,234,567"

// How far a pass over the events is, on a terminal, when it takes a while.
struct cli_progress {
	int64_t next_us; // when to say more; 0: never
	bool said;
};
void cli_progress_begin(struct cli_progress *p);
void cli_progress_at(struct cli_progress *p, uint64_t done, uint64_t total); // events
void cli_progress_end(const struct cli_progress *p);			     // takes the line away

const char *fmt_duration(uint64_t ns); // "3.21 s"
// A text of the program (its arguments, say) fit for one line of a terminal: valid UTF-8, no
// control characters, at most so many characters. To be freed.
char *fmt_line(const char *text, size_t columns);

// Absolute paths of our other parts, found relative to this executable. NULL: not there.
char *place_self(void);
char *place_preload(void);
char *place_helper(const char *name); // kalloscope-viewer, kalloscope-render

int cmd_record(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_proc(int argc, char **argv);
int cmd_boot_log(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_translate(int argc, char **argv);
int cmd_sql(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_view(int argc, char **argv);
int cmd_render(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_symbols(int argc, char **argv);
int cmd_recorder(int argc, char **argv);
int cmd_completions(int argc, char **argv);
