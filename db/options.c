// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Options of a recording: defaults, and parsing the command line of `record`.
#include "session_file.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

enum option_code {
	OPT_RAM = 256,
	OPT_CPUS,
	OPT_MODEL,
	OPT_VMALLOC,
	OPT_HIGHMEM,
	OPT_SPLIT,
	OPT_E820_PARAMS,
	OPT_MIN_FREE,
	OPT_RESERVE_RATIO,
	OPT_PCP_FRACTION,
	OPT_SLAB_TUNE,
	OPT_SLAB_DEBUG,
	OPT_L1_BYTES,
	OPT_CACHE_LINE, // the last of the machine's
	OPT_FAIL,
	OPT_SPILL,
	OPT_NO_SITE_CACHES,
	OPT_SITE_THRESHOLD,
	OPT_FRAMES,
	OPT_DUMP_STATE,
	OPT_PRECISE_TIME,
	OPT_WAIT,
	OPT_AFTER,
	OPT_FOR,
	OPT_ONLY,
	OPT_MAX_SIZE,
};

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"force", no_argument, NULL, 'f'},
	{"ram", required_argument, NULL, OPT_RAM},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"model", required_argument, NULL, OPT_MODEL},
	{"vmalloc", required_argument, NULL, OPT_VMALLOC},
	{"highmem", required_argument, NULL, OPT_HIGHMEM},
	{"split", required_argument, NULL, OPT_SPLIT},
	{"e820-params", required_argument, NULL, OPT_E820_PARAMS},
	{"min-free-kbytes", required_argument, NULL, OPT_MIN_FREE},
	{"lowmem-reserve-ratio", required_argument, NULL, OPT_RESERVE_RATIO},
	{"percpu-pagelist-fraction", required_argument, NULL, OPT_PCP_FRACTION},
	{"slab-tune", required_argument, NULL, OPT_SLAB_TUNE},
	{"slab-debug", no_argument, NULL, OPT_SLAB_DEBUG},
	{"l1-bytes", required_argument, NULL, OPT_L1_BYTES},
	{"cache-line", required_argument, NULL, OPT_CACHE_LINE},
	{"fail", no_argument, NULL, OPT_FAIL},
	{"spill", no_argument, NULL, OPT_SPILL},
	{"no-site-caches", no_argument, NULL, OPT_NO_SITE_CACHES},
	{"site-threshold", required_argument, NULL, OPT_SITE_THRESHOLD},
	{"frames", required_argument, NULL, OPT_FRAMES},
	{"dump-state", no_argument, NULL, OPT_DUMP_STATE},
	{"precise-time", no_argument, NULL, OPT_PRECISE_TIME},
	{"wait", required_argument, NULL, OPT_WAIT},
	{"after", required_argument, NULL, OPT_AFTER},
	{"for", required_argument, NULL, OPT_FOR},
	{"only", required_argument, NULL, OPT_ONLY},
	{"max-size", required_argument, NULL, OPT_MAX_SIZE},
	{0},
};

static unsigned host_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : (unsigned)n;
}

void options_default(struct record_options *o)
{
	*o = (struct record_options){0};
	machine_config_default(&o->session.machine, MODEL_CLASSIC, 4ull << 30, host_cpus());
	o->session.flags = SESSION_SITE_CACHES;
	o->session.max_frames = 64;
	o->session.site_threshold = 1024;
	o->session.wait_ms = 2000;
}

// "512M", "4G", "65536": bytes. False: not a size.
static bool parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMG";
	char *end;
	const char *unit;

	errno = 0;
	*bytes = strtoull(text, &end, 0);
	if (errno || end == text || *text == '-')
		return false;
	if (!*end)
		return true;
	unit = strchr(units, *end & ~0x20);
	if (!unit || !*unit || (end[1] && strcmp(end + 1, "iB") && strcmp(end + 1, "B")))
		return false;
	*bytes <<= 10 * (unit - units + 1);
	return *bytes >> 40 == 0;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint32_t *value)
{
	uint64_t n;

	if (!parse_size(text, &n) || n < min || n > max)
		return false;
	*value = (uint32_t)n;
	return true;
}

static bool parse_split(const char *text, uint32_t *page_offset)
{
	static const struct {
		const char *name;
		uint32_t offset;
	} splits[] = {{"3G", 0xC0000000}, {"2G", 0x80000000}, {"1G", 0x40000000}};

	for (unsigned i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
		if (strncasecmp(text, splits[i].name, 2) || (text[2] && text[2] != '/'))
			continue;
		*page_offset = splits[i].offset;
		return true;
	}
	return false;
}

enum {
	MAX_E820_PARAMS = 16
};

// Choices of the machine that go through machine_config_default, applied when all are known.
struct machine_choice {
	uint32_t model, cpus, split, vmalloc, highmem, min_free;
	uint64_t ram;
	const char *e820_params[MAX_E820_PARAMS]; // in their order
	uint32_t nr_e820_params;
	uint32_t ratio[3], fraction, slab_debug, l1_bytes, cache_line, nr_slab_tune;
	char slab_tune[MAX_SLAB_TUNE][SLAB_TUNE_LEN];
	uint32_t given; // bit per enum: has been said
};
enum {
	GIVEN_SPLIT = 1,
	GIVEN_VMALLOC = 2,
	GIVEN_MIN_FREE = 4,
	GIVEN_RATIO = 8
};

// "256,32,32", as the sysctl has them
static bool parse_ratios(const char *text, uint32_t ratio[3])
{
	char *end;

	for (unsigned i = 0; i < 3; i++, text = end + 1) {
		unsigned long n = strtoul(text, &end, 10);
		if (end == text || *text == '-' || *end != (i < 2 ? ',' : 0) || n > INT32_MAX)
			return false;
		ratio[i] = n ? (uint32_t)n : 1;
	}
	return true;
}

// "NAME:LIMIT:BATCH:SHARED" into the form /proc/slabinfo takes, with blanks
static bool parse_tune(const char *text, char *to)
{
	unsigned colons = 0;

	if (strlen(text) >= SLAB_TUNE_LEN)
		return false;
	for (strcpy(to, text); *to; to++) {
		colons += *to == ':';
		*to = *to == ':' ? ' ' : *to;
	}
	return colons == 3 && *text != ':';
}

// A power of two up to 128
static bool parse_line(const char *text, uint32_t min, uint32_t *bytes)
{
	return parse_number(text, min, 128, bytes) && !(*bytes & (*bytes - 1));
}

static bool machine_option(struct machine_choice *c, int code, const char *arg)
{
	switch (code) {
	case OPT_RAM:
		return parse_size(arg, &c->ram) && c->ram >= 16u << 20;
	case OPT_CPUS:
		return parse_number(arg, 1, MAX_CPUS, &c->cpus);
	case OPT_MODEL:
		for (c->model = 0; c->model < NR_MODELS; c->model++)
			if (!strcmp(arg, model_names[c->model]))
				return true;
		return false;
	case OPT_VMALLOC:
		c->given |= GIVEN_VMALLOC;
		return parse_number(arg, 1 << 20, 0xF0000000u, &c->vmalloc);
	case OPT_HIGHMEM:
		return parse_number(arg, 1 << 20, 0xFFFFF000u, &c->highmem);
	case OPT_SPLIT:
		c->given |= GIVEN_SPLIT;
		return parse_split(arg, &c->split);
	case OPT_E820_PARAMS:
		if (c->nr_e820_params == MAX_E820_PARAMS)
			return false;
		c->e820_params[c->nr_e820_params++] = arg;
		return true;
	case OPT_MIN_FREE:
		c->given |= GIVEN_MIN_FREE;
		return parse_number(arg, 0, 1 << 20, &c->min_free);
	case OPT_RESERVE_RATIO:
		c->given |= GIVEN_RATIO;
		return parse_ratios(arg, c->ratio);
	case OPT_PCP_FRACTION:
		return parse_number(arg, 0, 1 << 30, &c->fraction) &&
		       (!c->fraction || c->fraction >= 8);
	case OPT_SLAB_TUNE:
		return c->nr_slab_tune < MAX_SLAB_TUNE &&
		       parse_tune(arg, c->slab_tune[c->nr_slab_tune++]);
	case OPT_SLAB_DEBUG:
		c->slab_debug = 1;
		return true;
	case OPT_L1_BYTES:
		return parse_line(arg, 16, &c->l1_bytes);
	case OPT_CACHE_LINE:
		return parse_line(arg, 32, &c->cache_line);
	default:
		return false;
	}
}

// NULL, or what is wrong with the firmware's map as changed.
static const char *machine_apply(struct machine_choice *c, struct machine_config *cfg)
{
	const char *why = NULL;

	machine_config_default(cfg, (enum model)c->model, c->ram, c->cpus);
	if (c->given & GIVEN_SPLIT)
		cfg->page_offset = c->split;
	if (c->given & GIVEN_VMALLOC)
		cfg->vmalloc_bytes = c->vmalloc;
	cfg->highmem_bytes = c->highmem;
	if (c->given & GIVEN_MIN_FREE)
		cfg->min_free_kbytes = (int32_t)c->min_free;
	if (c->given & GIVEN_RATIO)
		memcpy(cfg->lowmem_reserve_ratio, c->ratio, sizeof(c->ratio));
	cfg->percpu_pagelist_fraction = c->fraction;
	cfg->slab_debug = c->slab_debug;
	if (c->l1_bytes)
		cfg->l1_bytes = c->l1_bytes;
	if (c->cache_line)
		cfg->cache_line = c->cache_line;
	cfg->kmalloc_minalign =
		c->slab_debug ? 16 : 8; // red zones would move objects to odd places
	memcpy(cfg->slab_tune, c->slab_tune, sizeof(cfg->slab_tune));
	for (unsigned i = 0; i < c->nr_e820_params; i++)
		if (e820_parse_params(&cfg->e820, c->e820_params[i], &why))
			return why;
	return NULL;
}

// "500ms", "2.5s", "3min"; a bare number are seconds.
static bool parse_duration(const char *text, uint32_t *ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"min", 60000}, {"h", 3600000}};
	char *end;
	double n = strtod(text, &end);

	for (unsigned i = 0; end > text && i < sizeof(units) / sizeof(*units); i++) {
		if (strcmp(end, units[i].unit) || !(n > 0) || n * units[i].ms > 4e9 ||
		    n * units[i].ms < 1)
			continue;
		*ms = (uint32_t)(n * units[i].ms);
		return true;
	}
	return false;
}

// Names of programs, without folders.
static bool parse_names(const char *text, char *names, size_t size)
{
	if (!*text || *text == ',' || strchr(text, '/') || strlen(text) >= size)
		return false;
	strcpy(names, text);
	return true;
}

static bool session_option(struct record_options *o, int code, const char *arg)
{
	struct session_options *s = &o->session;

	switch (code) {
	case 'o':
		o->output = arg;
		return *arg != 0;
	case 'f':
		o->force = true;
		return true;
	case OPT_FAIL:
		s->flags |= SESSION_FAIL;
		return true;
	case OPT_SPILL:
		s->flags &= ~(uint32_t)SESSION_FAIL;
		return true;
	case OPT_NO_SITE_CACHES:
		s->flags &= ~(uint32_t)SESSION_SITE_CACHES;
		return true;
	case OPT_DUMP_STATE:
		s->flags |= SESSION_DUMP_STATE;
		return true;
	case OPT_PRECISE_TIME:
		s->flags |= SESSION_PRECISE_TIME;
		return true;
	case OPT_SITE_THRESHOLD:
		return parse_number(arg, 1, UINT32_MAX, &s->site_threshold);
	case OPT_FRAMES:
		return parse_number(arg, 0, 256, &s->max_frames);
	case OPT_AFTER:
		return parse_duration(arg, &s->after_ms);
	case OPT_FOR:
		return parse_duration(arg, &s->for_ms);
	case OPT_ONLY:
		return parse_names(arg, s->only, sizeof(s->only));
	case OPT_MAX_SIZE:
		return parse_size(arg, &s->max_bytes) && s->max_bytes >= 1u << 20;
	case OPT_WAIT:
		return parse_number(arg, 0, 3600000, &s->wait_ms);
	default:
		return false;
	}
}

static const char *option_name(int code)
{
	for (const struct option *p = long_options; p->name; p++)
		if (p->val == code)
			return p->name;
	return "?";
}

int options_parse(struct record_options *o, int argc, char **argv, char *err)
{
	struct machine_choice c = {.model = o->session.machine.model,
				   .cpus = o->session.machine.ncpus,
				   .ram = 4ull << 30};
	bool machine = false;
	int code;

	optind = 0; // glibc: start over, whoever parsed before
	opterr = 0;
	while ((code = getopt_long(argc, argv, "+o:f", long_options, NULL)) != -1) {
		bool of_machine = code >= OPT_RAM && code <= OPT_CACHE_LINE;

		if (code == '?')
			return sentence(err, -EINVAL, "option %s is unknown or lacks its value",
					argv[optind > 0 ? optind - 1 : 0]);
		machine |= of_machine;
		if (of_machine ? machine_option(&c, code, optarg) : session_option(o, code, optarg))
			continue;
		return sentence(err, -EINVAL, "--%s=%s: not a value this option takes",
				option_name(code), optarg ? optarg : "");
	}
	const char *why = machine ? machine_apply(&c, &o->session.machine) : NULL;
	if (why)
		return sentence(err, -EINVAL, "--e820-params: %s", why);
	o->argv = argv + optind;
	return 0;
}
