// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The kalloscope command: its subcommands, their options and the help made from both.
#include "cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/version.h"

// Options of each command. Parsing, help and suggestions are made from these tables; the manual
// pages are checked against them by tests/cli.sh.
static const struct cli_option no_options[] = {{0}};

static const struct cli_option info_options[] = {
	{"json", 'j', NULL, "print JSON"},
	{"processes", 'p', NULL, "list all processes, not only the largest"},
	{0},
};

static const struct cli_option proc_options[] = {
	{"at", 'a', "MOMENT", "the machine at this moment; default: end"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{0},
};

// Names and numbers as in record's table, where they mean the same.
static const struct cli_option boot_log_options[] = {
	MACHINE_OPTIONS,
	{"memblock", 'm', NULL, "print memblock's arrays at the hand-over, too"},
	{0},
};

static const struct cli_option sql_options[] = {
	{"json", 'j', NULL, "print a JSON array of objects"},
	{"csv", 'c', NULL, "print comma-separated values"},
	{"no-header", 'n', NULL, "leave the column names out"},
	{0},
};

static const struct cli_option export_options[] = {
	{"format", 'F', "NAME", "which format; default: ftrace"},
	{"output", 'o', "FILE", "file to write; default: standard output"},
	{"measure", 'm', "NAME",
	 "peak (default), bytes, calls, live, live-count or temporary (folded, svg: the figure;\n"
	 "                             speedscope, pprof: the one shown first)"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{"filter", 'f', "TEXT", "only stacks with this in a function, file or module"},
	{"between", 'b', "A B", "only events between two moments"},
	{"at", 'a', "MOMENT", "openmetrics: the machine at this moment; default: end"},
	{0},
};

static const struct cli_option report_options[] = {
	{"json", 'j', NULL, "print JSON"},
	{"top", 't', "N", "rows of a table; 0: all; default: 20"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{"filter", 'f', "TEXT", "only stacks with this in a function, file or module"},
	{"between", 'b', "A B", "only events between two moments"},
	{"bottom-up", 'u', NULL,
	 "peak, leaks, temporary, sites: a tree from the call sites to their callers"},
	{"top-down", 'd', NULL, "the same from main to the call sites"},
	{"at", 'a', "MOMENT", "slab: the machine at this moment; default: end"},
	{"suppressions", 's', "FILE", "leaks: lines leak:PATTERN name stacks to leave out"},
	{0},
};

static const struct cli_option top_options[] = {
	{"interval", 'i', "SECONDS", "how often it is drawn; default: 1"},
	{"once", '1', NULL, "print it once; so it is where there is no terminal"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{0},
};

static const struct cli_option diff_options[] = {
	{"fail-if", 'F', "CONDITION", "exit status 1 when it is met; may be given again"},
	{"normalise", 'n', NULL,
	 "scale what grows with the work to the same number of allocations"},
	{"measure", 'm', "NAME",
	 "compare sites by peak (default), bytes, calls, live, live-count or temporary"},
	{"top", 't', "N", "call sites shown; 0: all; default: 20"},
	{"json", 'j', NULL, "print JSON"},
	{"process", 'p', "N", "which process of both; default: the one with most events"},
	{"suppressions", 's', "FILE", "leaks to leave out, as in report leaks"},
	{0},
};

static const struct cli_option check_options[] = {
	{"rule", 'r', "RULE", "what must hold; may be given again"},
	{"json", 'j', NULL, "print JSON"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{"suppressions", 's', "FILE", "leaks to leave out, as in report leaks"},
	{0},
};

static const struct cli_option render_options[] = {
	{"view", 'V', "NAME",
	 "map (default), zones, percpu, slab, vmalloc, highmem, address, boot, summary, events, "
	 "timeline, event, steps, flame, sites, processes"},
	{"at", 'a', "MOMENT", "the machine at this moment; default: end"},
	{"process", 'p', "N", "which process of the recording; default: the one with most events"},
	{"cache", 'c', "NAME", "whose slabs the slab view shows; default: the largest"},
	{"size", 's', "WxH", "size in pixels; default: 1280x800"},
	{"step", 'T', "N[:PART]", "steps, boot: the Nth step, at a part of its way (3:0.5)"},
	{"address", 'A', "ADDR", "whose walk the address view shows; default: the event's"},
	{"cost", 'C', "COST", "flame, sites: peak, live, calls, temporary or bytes"},
	{"scope", 'O', "SCOPE",
	 "flame, sites: all (default), or live: what is alive at that moment"},
	{"colour", 'F', "WHAT", "map: state (default), order, type, age, site or cache"},
	{"search", 'S', "TEXT", "flame: functions to highlight"},
	{"inverted", 'I', NULL, "flame: from the allocating functions, their callers below"},
	{"fold", 'U', NULL,
	 "flame: without recursion, what is called again counts as the first call's"},
	{"dark", 'd', NULL, "dark colours"},
	{"output", 'o', "FILE",
	 "file to write: a PNG; .svg: drawn as SVG; .csv: the table behind it"},
	{0},
};

static const struct cli_option pack_options[] = {
	{"output", 'o', "FILE", "file to write; default: with .zst added, or taken off"},
	{"force", 'f', NULL, "replace it when it exists"},
	{0},
};

static const struct cli_option symbols_options[] = {
	{"again", 'A', NULL, "name those that have names, too"},
	{0},
};

static const struct cli_option recorder_options[] = {
	{"bare", 'b', NULL, "started by the library"},
	{"pid", 'p', "PID", "the program"},
	{"fd", 'f', "N", "where to write the path of the rings"},
	{0},
};

// In cmd_record.c: beside the code that hands most of them on.
extern const struct cli_option record_options_table[], run_options_table[];

static const char moments[] =
	"\nA MOMENT is an event (#123 or 123), a time since the start (3.2s, 500ms), end, or\nmark:TEXT (kalloscope_mark).\n";

static const char proc_text[] =
	"\nA MOMENT is an event (#123 or 123), a time since the start (3.2s, 500ms), end, or\nmark:TEXT (kalloscope_mark).\n"
	"Of several names, or with --at given several times, each text stands below a line\n"
	"==> NAME at #EVENT <==.\n";

// In the order people meet them, which is the order of the overview.
const struct command commands[] = {
	{"record", "[-o FILE] [OPTIONS] -- PROGRAM [ARGUMENTS]",
	 "run a program on the simulated machine and record it", record_options_table, cmd_record,
	 "\nThe exit status is the program's own (128 + n when signal n ended it); 2 when the\n"
	 "recording could not be started, 126 and 127 when the program could not.\n"},
	{"run", "[OPTIONS] -- PROGRAM [ARGUMENTS]",
	 "run a program on the simulated machine, recording nothing", run_options_table, cmd_run,
	 "\nThe command becomes the program: its exit status is the program's; 2, 126 and 127 when\n"
	 "it could not be started.\n"},
	{"info", "FILE", "say what a recording holds", info_options, cmd_info},
	{"view", "FILE", "open a recording in the viewer", no_options, cmd_view},
	{"top", "FILE", "watch a program while it is recorded", top_options, cmd_top,
	 "\nZones, the largest caches, and the call sites with most calls since the drawing before.\n"
	 "FILE is what 'kalloscope record -o FILE' writes in the meantime. q quits.\n"},
	{"sql", "FILE QUERY", "query a recording, read-only", sql_options, cmd_sql,
	 "\nOn a terminal the rows are aligned; elsewhere they are separated by tabs.\n"
	 "\nFunctions beside SQLite's own:\n"
	 "  stack_text(STACK)              'make_node < build < main'\n"
	 "  hex_text(N), size_text(BYTES)  '0xc1234567', '12.3 MiB'\n"
	 "  size_class(BYTES)              'size-128': the kmalloc cache that serves it\n"
	 "  gfp_text(GFP)                  'GFP_KERNEL|GFP_ZERO'\n"
	 "and the machine right after an event:\n"
	 "  free_pages(ZONE, EVENT)        of 'DMA', 'Normal', 'HighMem'\n"
	 "  free_blocks(ZONE, ORDER, EVENT)\n"
	 "  cache_objects(CACHE, EVENT), cache_slabs(CACHE, EVENT)\n"
	 "  proc_text(FILE, EVENT)         what /proc/FILE would print\n"},
	{"proc", "NAME[,NAME...] FILE", "print what /proc/NAME would say at a moment", proc_options,
	 cmd_proc, proc_text},
	{"translate", "ADDRESS FILE", "follow a linear address to its frame at a moment",
	 proc_options, cmd_translate, moments},
	{"boot-log", "[FILE]", "print what the kernel logs while the machine boots",
	 boot_log_options, cmd_boot_log,
	 "\nWithout FILE the log is of the machine that the options describe.\n"},
	{"report", "NAME [ADDRESS] FILE", "answer a usual question about a recording",
	 report_options, cmd_report,
	 "\nNAME is one of:\n"
	 "  sites          call sites by calls, with bytes, what lives on, what was temporary\n"
	 "  peak           what was alive at the highest point, as a call tree\n"
	 "  leaks          what was not given back at exit, by stack\n"
	 "  sizes          allocations by size class, and what rounding up costs\n"
	 "  lifetimes      how long blocks live, in events and in time\n"
	 "  temporary      sites whose blocks are given back by the next call\n"
	 "  threads        what each thread allocates\n"
	 "  slab           caches: objects, slabs, waste; neighbours of different threads\n"
	 "  pressure       where the machine had to work: refills, steals, failures, watermarks\n"
	 "  fragmentation  free memory that cannot serve large requests, and who pins pageblocks\n"
	 "  history        every owner of an ADDRESS (hexadecimal)\n"
	 "  marks          the program's own marks (kalloscope.h), and what happened between them\n"
	 "  pools          the program's own pools (kalloscope.h): what they hold, who asked\n"
	 "  summary        the key figures on one page\n"
	 "  storage        what the file is made of, table by table\n"
	 "sizes, lifetimes, threads, pressure, marks, pools, slab of a program with threads, and all with\n"
	 "--between read every event: ten million take two to five seconds.\n"
	 "\nA MOMENT (also A and B) is an event (#123 or 123), a time (3.2s, 500ms), end,\nor mark:TEXT (kalloscope_mark).\n"},
	{"diff", "BEFORE AFTER", "compare two recordings, what got worse first", diff_options,
	 cmd_diff,
	 "\nA CONDITION is FIGURE OPERATOR VALUE: 'leaked_bytes>+1%', 'peak_bytes>64M', "
	 "'steals>+10'.\n"
	 "Operators: < <= > >= == !=. A VALUE may end in K, M, G or %; with a sign it is a change.\n"
	 "Figures are those of the table and of 'kalloscope check --rule list'.\n"
	 "Exit status: 0; 1 when a condition is met; 2 when the comparison could not be made.\n"},
	{"check", "FILE", "hold a recording against budgets", check_options, cmd_check,
	 "\nA RULE is FIGURE OPERATOR VALUE and must hold: 'peak_bytes<=64M', 'leaked_count==0',\n"
	 "'temporary_share<10%', 'failed_order<3'. Operators: < <= > >= == !=. A VALUE may end in\n"
	 "K, M or G (1024s), of a share in %. '--rule list' lists the figures.\n"
	 "Exit status: 0 when all rules hold; 1 when one does not, or the recording is incomplete;\n"
	 "2 when a rule or the file cannot be used.\n"},
	{"render", "-o OUTPUT FILE", "draw a view of a recording into a picture", render_options,
	 cmd_render, moments},
	{"export", "FILE", "write a recording in another tool's format", export_options, cmd_export,
	 "\nFormats:\n"
	 "  ftrace       the kernel's text of its kmem events\n"
	 "  folded       a line a stack, for flamegraph.pl and its kin\n"
	 "  speedscope   speedscope's file format, a profile per measure\n"
	 "  pprof        a gzipped profile for pprof\n"
	 "  massif       for ms_print and massif-visualizer\n"
	 "  perfetto     trace events for Perfetto and chrome://tracing\n"
	 "  csv          a line an event\n"
	 "  openmetrics  zones, buddyinfo and slabinfo for Prometheus' textfile collector\n"
	 "  svg          a flame graph in one file\n"
	 "\nA MOMENT (also A and B) is an event (#123 or 123), a time (3.2s, 500ms), end,\nor mark:TEXT (kalloscope_mark).\n"},
	{"verify", "FILE", "check that a recording is complete and consistent", no_options,
	 cmd_verify},
	{"recover", "FOLDER|FILE", "finish a recording that was interrupted", no_options,
	 cmd_recover},
	{"pack", "FILE", "compress a recording, to send it around", pack_options, cmd_pack},
	{"unpack", "FILE", "make a recording of a packed one", pack_options, cmd_unpack},
	{"symbols", "FILE", "name the functions again, where debug files are", symbols_options,
	 cmd_symbols},
	{"recorder", "--bare --pid PID --fd N", "record for a preloaded library", recorder_options,
	 cmd_recorder, NULL, true},
	{"completions", "SHELL", "print the completion code for bash, zsh or fish", no_options,
	 cmd_completions, NULL, true},
	{0},
};

static const struct command *find_command(const char *name)
{
	for (const struct command *c = commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

void cli_error(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("kalloscope: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

// For what only the user can mend by typing something else; what went wrong in doing it is
// cli_error and status 1.
void cli_usage(const char *command, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "kalloscope %s: ", command);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\nTry 'kalloscope %s --help'.\n", command);
	va_end(ap);
	exit(EXIT_USAGE);
}

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;
	return m < c ? m : c;
}

// Levenshtein distance; words above 31 characters are far from everything.
static int distance(const char *a, const char *b)
{
	int row[32], n = (int)strlen(b);
	if (n > 31)
		return 99;
	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 1; a[i - 1]; i++) {
		int corner = row[0];
		row[0] = i;
		for (int j = 1; j <= n; j++) {
			int up = row[j];
			row[j] = min3(up + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1]));
			corner = up;
		}
	}
	return row[n];
}

const char *cli_nearest(const char *word, const char *(*name)(int i, const void *ctx),
			const void *ctx)
{
	const char *best = NULL, *s;
	int best_d = 99, limit = 1 + (int)strlen(word) / 2;
	for (int i = 0; (s = name(i, ctx)); i++) {
		// what was typed may be the beginning of the word meant
		int d = !strncmp(s, word, strlen(word)) ? 1 : distance(word, s);
		if (d <= limit && d < best_d) {
			best_d = d;
			best = s;
		}
	}
	return best;
}

void cli_unknown(const char *command, const char *what, const char *word,
		 const char *(*name)(int i, const void *ctx), const void *ctx)
{
	const char *near = cli_nearest(word, name, ctx);
	char all[1024] = "";
	for (int i = 0, n = 0; name(i, ctx) && n < (int)sizeof(all); i++)
		n += snprintf(all + n, sizeof(all) - (size_t)n, " %s", name(i, ctx));
	if (near)
		cli_usage(command, "unknown %s '%s'; did you mean '%s'? There are:%s", what, word,
			  near, all);
	cli_usage(command, "unknown %s '%s'; there are:%s", what, word, all);
}

// Names for cli_nearest; an internal command ends the list, since those stand last.
static const char *command_name(int i, const void *ctx)
{
	(void)ctx;
	return commands[i].internal ? NULL : commands[i].name;
}

static const char *option_name(int i, const void *ctx)
{
	const struct cli_option *o = ctx;
	return o[i].name;
}

// Single letters get no suggestion: every letter is near to every other.
void cli_option_error(const char *command, const char *option)
{
	const struct command *cmd = find_command(command);
	char word[64];
	snprintf(word, sizeof(word), "%s", option + strspn(option, "-"));
	word[strcspn(word, "=")] = 0;
	const char *near = strlen(word) > 1 ? cli_nearest(word, option_name, cmd->options) : NULL;
	if (near)
		cli_usage(command, "unknown option '%s'; did you mean '--%s'?", option, near);
	cli_usage(command, "unknown option '%s'", option);
}

// "  -o, --output=FILE        what it does"
static void print_option(const struct cli_option *o)
{
	char left[64];
	int n = o->id < 256 ? snprintf(left, sizeof(left), "-%c, ", o->id)
			    : snprintf(left, sizeof(left), "    ");
	snprintf(left + n, sizeof(left) - n, "--%s%s%s", o->name, o->value ? "=" : "",
		 o->value ? o->value : "");
	printf("  %-26s %s\n", left, o->help);
}

static void print_help(const struct command *cmd)
{
	printf("Usage: kalloscope %s %s%s\n%c%s.\n\nOptions:\n", cmd->name,
	       cmd->options->name && !strchr(cmd->operands, '-') ? "[OPTIONS] " : "", cmd->operands,
	       cmd->summary[0] - 'a' + 'A', cmd->summary + 1);
	for (const struct cli_option *o = cmd->options; o->name; o++)
		print_option(o);
	print_option(&(struct cli_option){"help", 'h', NULL, "print this help"});
	if (cmd->notes)
		fputs(cmd->notes, stdout);
}

void cli_init(struct cli *c, const char *command, int argc, char **argv)
{
	*c = (struct cli){.cmd = find_command(command), .argc = argc, .argv = argv};
	optind = 0; // (GNU) scan again, forgetting an earlier scan
	opterr = 0;
}

enum {
	MAX_OPTIONS = 64
};

// The table in getopt's form. Long options come back as their id.
static void getopt_tables(const struct cli_option *o, struct option *lo, char *so)
{
	*so++ = ':'; // a missing argument is told from an unknown option
	for (; o->name; o++) {
		*lo++ = (struct option){o->name, o->value ? required_argument : no_argument, NULL,
					o->id};
		if (o->id < 256) {
			*so++ = (char)o->id;
			if (o->value)
				*so++ = ':';
		}
	}
	*lo++ = (struct option){"help", no_argument, NULL, 'h'};
	*so++ = 'h';
	*so = 0;
	*lo = (struct option){0};
}

// getopt_long permutes the words, so operands may stand anywhere; after -1 they are the last ones.
int cli_next(struct cli *c)
{
	struct option lo[MAX_OPTIONS + 2];
	char so[2 * MAX_OPTIONS + 4];
	getopt_tables(c->cmd->options, lo, so);
	int id = getopt_long(c->argc, c->argv, so, lo, NULL);
	char letter[3] = {'-', (char)optopt, 0};
	switch (id) {
	case 'h':
		print_help(c->cmd);
		exit(EXIT_SUCCESS);
	case ':':
		cli_usage(c->cmd->name, "option '%s' needs an argument", c->argv[optind - 1]);
	case '?':
		cli_option_error(c->cmd->name,
				 optopt > 0 && optopt < 256 ? letter : c->argv[optind - 1]);
	}
	c->value = optarg;
	c->optind = optind;
	return id;
}

char **cli_operands(struct cli *c, int n)
{
	int have = c->argc - c->optind;
	if (have < n)
		cli_usage(c->cmd->name, "%s: expected %s", have ? "too few operands" : "no operand",
			  c->cmd->operands);
	if (have > n)
		cli_usage(c->cmd->name, "too many operands: '%s'; expected %s",
			  c->argv[c->optind + n], c->cmd->operands);
	return c->argv + c->optind;
}

static int overview(FILE *to)
{
	fprintf(to,
		"kalloscope: watch a program's memory through the allocators of a Linux kernel\n\n"
		"Usage: kalloscope COMMAND [OPTIONS] ...\n\nCommands:\n");
	for (const struct command *c = commands; c->name; c++)
		if (!c->internal)
			fprintf(to, "  %-10s %s\n", c->name, c->summary);
	fprintf(to, "\nStart with 'kalloscope record -- PROGRAM', then 'kalloscope view FILE'.\n"
		    "'kalloscope COMMAND --help' explains a command.\n");
	return to == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int unknown_command(const char *word)
{
	const char *near = cli_nearest(word, command_name, NULL);
	if (*word == '-')
		cli_error("unknown option '%s'; an option follows its command", word);
	else if (near)
		cli_error("unknown command '%s'; did you mean '%s'?", word, near);
	else
		cli_error("unknown command '%s'; 'kalloscope --help' lists them", word);
	return EXIT_USAGE;
}

// 'kalloscope help', with or without a command.
static int help(const char *word)
{
	const struct command *cmd = word ? find_command(word) : NULL;
	if (!word)
		return overview(stdout);
	if (!cmd)
		return unknown_command(word);
	print_help(cmd);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return overview(stderr);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return help(argv[2]);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("kalloscope " KALLOSCOPE_VERSION);
		return EXIT_SUCCESS;
	}
	const struct command *cmd = find_command(argv[1]);
	if (!cmd)
		return unknown_command(argv[1]);
	int status = cmd->run(argc - 1, argv + 1);
	// a full disk or a closed pipe behind stdout is a failure of the command
	if (fflush(stdout) && !status) {
		cli_error("cannot write the output: %m");
		return EXIT_FAILURE;
	}
	return status;
}
