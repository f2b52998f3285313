// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// vectors FILE...: replays vector files (plain or .gz) and prints `FILE ops=N mismatches=M`.
// Status 0: all agree; 1: mismatches; 2: something that cannot be read or is no vector file.
#include "vectors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "core/boot.h"

enum {
	SHOWN = 5,	      // differences printed per file
	TEXT_MAX = 256 << 20, // bytes; a vector file has a few million
	MAX_PFN = 1 << 20     // of a 32-bit machine without PAE
};

enum outcome {
	AGREES,
	DIFFERS,
	UNREADABLE
};

static const struct {
	const char *topic;
	void (*run)(struct vectors *v);
} topics[] = {
	{"bootstages", vectors_boot_stages}, {"buddy", vectors_buddy},
	{"exhaust", vectors_buddy},	     {"zones", vectors_zones},
	{"memblock", vectors_memblock},	     {"slabgeom", vectors_slabgeom},
	{"kmalloc", vectors_kmalloc},	     {"slabseq", vectors_slabseq},
	{"vmalloc", vectors_vmalloc},	     {"kmap", vectors_kmap},
	{"mempool", vectors_mempool},	     {"percpu", vectors_percpu},
};

const char *vectors_line(struct vectors *v)
{
	while (*v->next) {
		char *line = v->next, *end = strchr(line, '\n');

		v->next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		v->line++;
		if (*line == '#' || !*line)
			continue;
		v->ops++;
		return line;
	}
	return NULL;
}

void vectors_mismatch(struct vectors *v, const char *line, const char *fmt, ...)
{
	va_list ap;

	if (v->mismatches++ >= SHOWN)
		return;
	fprintf(stderr, "%s:%lu: ", v->file, v->line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n    %.160s\n", line);
}

void expect(struct vectors *v, const char *line, const char *what, long long got, long long want)
{
	if (got != want)
		vectors_mismatch(v, line, "%s is %lld (%llx), expected %lld (%llx)", what, got, got,
				 want, want);
}

// ---- fields ----

bool starts(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

// A key begins its line or stands behind one of these.
static bool begins_key(const char *line, const char *p)
{
	return p == line || strchr(" :/", p[-1]);
}

static void mark_read(struct vectors *v, const char *at)
{
	size_t i = (size_t)(at - v->text);

	if (at >= v->text && i < v->size)
		v->read[i / 8] |= 1 << i % 8;
}

static bool was_read(const struct vectors *v, size_t i)
{
	return v->read[i / 8] >> i % 8 & 1;
}

const char *field(struct vectors *v, const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += n)
		if (begins_key(line, p) && p[n] == '=') {
			mark_read(v, p + n);
			return p + n + 1;
		}
	return NULL;
}

long long number(struct vectors *v, const char *line, const char *key, int base)
{
	const char *p = field(v, line, key);
	char *end;
	long long value;

	if (!p) {
		vectors_mismatch(v, line, "has no %s=", key);
		return -1;
	}
	value = strtoll(p, &end, base);
	if (end == p)
		vectors_mismatch(v, line, "%s= is no number", key);
	return value;
}

void ignore(struct vectors *v, const char *line, const char *key)
{
	(void)field(v, line, key);
}

void read_whole(struct vectors *v, const char *line)
{
	for (const char *p = line; (p = strchr(p, '=')); p++)
		mark_read(v, p);
}

bool scan(struct vectors *v, const char *line, int n, const char *fmt, ...)
{
	va_list ap;
	int got;

	va_start(ap, fmt);
	got = vsscanf(line, fmt, ap);
	va_end(ap);
	read_whole(v, line);
	if (got == n)
		return true;
	vectors_mismatch(v, line, "not understood");
	return false;
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '|' || c == ')' || c == '(' || c == '-' || c == '.';
}

// The key before text[i], an '='; its length, 0 when none stands there.
static int key_before(const struct vectors *v, size_t i)
{
	int n = 0;

	while ((size_t)n < i && is_key_char(v->text[i - (size_t)n - 1]))
		n++;
	return n;
}

// What no runner asked for may be what the two kernels differ in.
static void report_unread(struct vectors *v, const char *line)
{
	for (const char *p = line; (p = strchr(p, '=')); p++) {
		size_t i = (size_t)(p - v->text);
		int n = key_before(v, i);

		if (n && !was_read(v, i))
			vectors_mismatch(v, line, "%.*s= is not understood", n, p - n);
	}
}

static void report_all_unread(struct vectors *v)
{
	const char *end = v->next;

	v->line = 0;
	for (const char *line = v->text; line < end; line += strlen(line) + 1) {
		v->line++;
		if (*line != '#')
			report_unread(v, line);
	}
}

// ---- the header ----

static const char *header_value(const struct vectors *v, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = v->header; (p = strstr(p, key)); p += n)
		if (p > v->header && p[-1] == ' ' && p[n] == '=')
			return p + n + 1;
	return NULL;
}

long long vectors_header(const struct vectors *v, const char *key, int base)
{
	const char *value = header_value(v, key);

	return value ? strtoll(value, NULL, base) : -1;
}

bool vectors_header_is(const struct vectors *v, const char *key, const char *value)
{
	const char *got = header_value(v, key);
	size_t n = strlen(value);

	return got && !strncmp(got, value, n) && (!got[n] || got[n] == ' ');
}

// What every header says. The kernel's own use of memory (totalram_pages, mem_map) is not asked of
// ours: where it matters the dumps have it.
static void check_header(struct vectors *v, const char *line)
{
	static const char *const told[] = {
		"topic",       "config",     "seed",	       "kernel",	  "cpus_possible",
		"cpus_online", "nr_cpu_ids", "totalram_pages", "totalhigh_pages", "max_low_pfn",
		"highend_pfn", "mem_map",    "page_struct",    "cache_line",
	};

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		ignore(v, line, told[i]);
	if (header_value(v, "kernel"))
		sscanf(header_value(v, "kernel"), "3.4.%lu", &v->version);
	if (v->version != 113 && v->version != 2)
		vectors_mismatch(v, line, "a kernel other than 3.4.113 and 3.4.2");
	if (header_value(v, "page_struct"))
		expect(v, line, "page_struct", sizeof(struct page),
		       vectors_header(v, "page_struct", 10));
	if (header_value(v, "config") && !vectors_header_is(v, "config", "SMP") &&
	    !vectors_header_is(v, "config", "UP"))
		vectors_mismatch(v, line, "config is neither SMP nor UP");
	// The others come up between the two parts of a boot file.
	if (vectors_header(v, "cpus_online", 10) != vectors_header(v, "cpus_possible", 10) &&
	    !vectors_header_is(v, "topic", "bootstages"))
		vectors_mismatch(v, line, "not all possible CPUs are online");
}

// The last line says that the file is whole, and that no part of the kernel ran that is not
// modelled.
static void check_trailer(struct vectors *v)
{
	const char *line = v->text, *last = line;

	for (; line < v->next; line += strlen(line) + 1)
		if (*line)
			last = line;
	if (last == v->text || !starts(last, "=== ")) {
		vectors_mismatch(v, last, "the file ends before its last line, \"=== ...\"");
		return;
	}
	if (!starts(last, "=== events "))
		return;
	expect(v, last, "allocstall", 0, number(v, last, "allocstall", 10));
	expect(v, last, "compactstall", 0, number(v, last, "compactstall", 10));
	ignore(v, last, "pageoutrun"); // kswapd looks once when it starts
}

// ---- machines ----

// Lowmem ends where vmalloc= of the header's machine, or highmem= of a small one, made it end.
static void config_lowmem(struct machine_config *cfg, int64_t max_pfn, int64_t max_low)
{
	const int64_t vmalloc_end_pfn = 260094, default_lowmem = 227326, hole = 8 << 20;

	if (max_low <= 0 || max_low >= max_pfn || max_low == default_lowmem ||
	    max_low > vmalloc_end_pfn)
		return;
	if (max_pfn <= default_lowmem)
		cfg->highmem_bytes = (uint32_t)(max_pfn - max_low) << PAGE_SHIFT;
	else
		cfg->vmalloc_bytes = ((vmalloc_end_pfn - max_low) << PAGE_SHIFT) - hole;
}

void vectors_config(const struct vectors *v, struct machine_config *cfg)
{
	int64_t max_pfn = vectors_header(v, "highend_pfn", 10);

	if (max_pfn <= 0 || max_pfn > MAX_PFN)
		max_pfn = 1 << 18;
	machine_config_default(cfg, v->version == 2 ? MODEL_3_4_2 : MODEL_3_4,
			       max_pfn << PAGE_SHIFT, vectors_header(v, "cpus_possible", 10));
	cfg->smp = !vectors_header_is(v, "config", "UP");
	if (!cfg->smp)
		cfg->nr_cpus = 1;
	if (vectors_header(v, "cache_line", 10) > 0)
		cfg->cache_line = vectors_header(v, "cache_line", 10);
	cfg->kernel_bytes = cfg->smp ? 0x364000 : 0x333000; // of those kernels
	config_lowmem(cfg, max_pfn, vectors_header(v, "max_low_pfn", 10));
}

// Fresh memory for a machine; the last one's goes.
static void *machine_memory(struct vectors *v, const struct machine_config *cfg)
{
	static void *memory;
	static size_t size;

	if (memory)
		munmap(memory, size);
	size = machine_size(cfg);
	memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		memory = NULL;
		vectors_mismatch(v, v->header, "no memory for a machine");
	}
	return memory;
}

static int prepare(struct vectors *v, struct machine *m, const struct machine_config *cfg,
		   int (*init)(struct machine *m, void *memory, const struct machine_config *cfg,
			       const char **why))
{
	void *memory = machine_memory(v, cfg);
	const char *why = "";

	if (!memory)
		return -1;
	if (!init(m, memory, cfg, &why))
		return 0;
	vectors_mismatch(v, v->header, "the machine does not boot: %s", why);
	return -1;
}

int vectors_boot(struct vectors *v, struct machine *m, const struct machine_config *cfg)
{
	return prepare(v, m, cfg, machine_boot);
}

int vectors_unbooted(struct vectors *v, struct machine *m, const struct machine_config *cfg)
{
	return prepare(v, m, cfg, machine_init);
}

int vectors_machine(struct vectors *v, struct machine *m)
{
	struct machine_config cfg;

	vectors_config(v, &cfg);
	return vectors_boot(v, m, &cfg);
}

// ---- files ----

// What zlib says, or the system where it says nothing; never empty.
static const char *gz_error(gzFile f)
{
	int code;
	const char *text = gzerror(f, &code);

	return code == Z_ERRNO || !*text ? strerror(errno) : text;
}

// Everything unpacked, with a NUL behind it; NULL and a sentence when that fails.
static char *read_text(gzFile f, const char *path, size_t *size)
{
	size_t room = 1 << 20;
	char *text = malloc(room), *more = text;
	int n = 0, end;

	for (*size = 0; more && (n = gzread(f, text + *size, room - *size - 1)) > 0;) {
		*size += n;
		if (*size + 1 < room)
			continue;
		more = room < TEXT_MAX ? realloc(text, room *= 2) : NULL;
		text = more ? more : text;
	}
	gzerror(f, &end);
	if (more && !n && end != Z_BUF_ERROR) {
		text[*size] = 0;
		return text;
	}
	fprintf(stderr, "vectors: %s: %s\n", path,
		!more		     ? "too large for a vector file"
		: end == Z_BUF_ERROR ? "the compressed file is cut short"
				     : gz_error(f));
	free(text);
	return NULL;
}

static bool read_file(struct vectors *v)
{
	gzFile f = gzopen(v->file, "rb");

	if (!f) {
		fprintf(stderr, "vectors: %s: %s\n", v->file, strerror(errno));
		return false;
	}
	v->next = v->text = read_text(f, v->file, &v->size);
	gzclose(f);
	if (!v->text)
		return false;
	v->read = calloc(v->size / 8 + 1, 1);
	return v->read;
}

static int topic_of(const struct vectors *v)
{
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		if (vectors_header_is(v, "topic", topics[i].topic))
			return (int)i;
	return -1;
}

static enum outcome run_text(struct vectors *v)
{
	bool is_text = strlen(v->text) == v->size;
	const char *header = is_text ? vectors_line(v) : NULL;
	int topic;

	snprintf(v->header, sizeof(v->header), "%s", header ? header : "");
	topic = topic_of(v);
	if (!starts(v->header, "=== ") || topic < 0) {
		fprintf(stderr,
			"vectors: %s: not a vector file: it does not begin with \"=== topic=\" and "
			"a known topic\n",
			v->file);
		return UNREADABLE;
	}
	check_header(v, header);
	v->ops = 0;
	topics[topic].run(v);
	if (!v->ops)
		vectors_mismatch(v, header, "nothing was compared");
	check_trailer(v);
	report_all_unread(v);
	printf("%s ops=%lu mismatches=%lu\n", v->file, v->ops, v->mismatches);
	return v->mismatches ? DIFFERS : AGREES;
}

static enum outcome run_file(const char *path)
{
	struct vectors v = {.file = path};
	enum outcome result = read_file(&v) ? run_text(&v) : UNREADABLE;

	free(v.read);
	free(v.text);
	return result;
}

int main(int argc, char **argv)
{
	enum outcome worst = AGREES;

	if (argc < 2) {
		fprintf(stderr, "usage: vectors FILE...\n");
		return UNREADABLE;
	}
	for (int i = 1; i < argc; i++) {
		enum outcome result = run_file(argv[i]);

		worst = result > worst ? result : worst;
		fflush(stdout);
	}
	return worst;
}
