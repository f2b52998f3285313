// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// ftrace lines: those of a real kernel, read into transitions, come out again byte for byte; and
// what our machine does has the form that the kernel's own format descriptions state.
#include "core/trace_text.h"

#include <regex.h>

#include "harness.h"
#include "pages_machine.h"

static const char *folder = "tests/linux-3.4";
static char Text[1 << 18], Line[1024];

static void read_file(const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace/%s", folder, name);
	f = fopen(path, "r");
	if (!f)
		printf("# cannot read %s\n", path);
	CHECK(f);
	Text[fread(Text, 1, sizeof(Text) - 1, f)] = 0;
	fclose(f);
}

// ---- real lines through our printer ----

static uint32_t number(const char *line, const char *key, int base)
{
	const char *at = strstr(line, key);

	return at ? strtoul(at + strlen(key), NULL, base) : 0;
}

static gfp_t gfp_of(const char *line)
{
	static const gfp_t known[] = {
		GFP_ATOMIC,
		GFP_HIGHUSER_MOVABLE,
		GFP_HIGHUSER_MOVABLE | __GFP_ZERO,
		GFP_KERNEL,
		GFP_KERNEL | __GFP_REPEAT | __GFP_ZERO,
		GFP_KERNEL | __GFP_ZERO,
		__GFP_NOWARN,
		GFP_TEMPORARY,
	};
	const char *want = strstr(line, "gfp_flags=");
	char names[200];

	if (!want)
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		gfp_string(known[i], names, sizeof(names));
		if (!strcmp(names, want + 10))
			return known[i];
	}
	printf("# %s\n", want);
	CHECK(!"gfp known");
	return 0;
}

// A cache that gives objects of that size.
static unsigned cache_of(const char *line)
{
	uint32_t size = number(line, "bytes_alloc=", 10);
	char name[24];

	for (unsigned id = 1; id < MAX_CACHES && size; id++)
		if (M.caches[id].used && M.caches[id].buffer_size == size &&
		    M.caches[id].obj_size == size)
			return id;
	snprintf(name, sizeof(name), "of-%u", size);
	return size ? kmem_cache_create(&M, name, size, 0, 0) : 0;
}

static unsigned kind_of(const char *name)
{
	for (unsigned kind = EV_LAST_STEP + 1; kind < EV_COUNT; kind++)
		if (!strcmp(event_name(kind), name))
			return kind;
	printf("# unknown event %s\n", name);
	return 0;
}

static void parse(const char *line, struct trace_event *t, struct trace_context *c)
{
	static char comm[17];
	char name[40];
	unsigned cpu, seconds, us;

	CHECK_EQ(sscanf(line, " %16[^-]-%d [%u] %*s %u.%u: %39[^:]", comm, &c->pid, &cpu, &seconds,
			&us, name),
		 6);
	bool extfrag = !strcmp(name, "mm_page_alloc_extfrag");
	c->comm = comm;
	c->ns = (seconds * 1000000ull + us) * 1000 + 999;
	c->call_site = number(line, "call_site=", 16);
	c->bytes_req = number(line, "bytes_req=", 10);
	*t = (struct trace_event){
		.kind = kind_of(name),
		.cache = cache_of(line),
		.cpu = cpu,
		.order = number(line, "order=", 10),
		.order2 = number(line, "fallback_order=", 10),
		.migratetype = number(line, extfrag ? "alloc_migratetype=" : "migratetype=", 10),
		.migratetype2 = number(line, "fallback_migratetype=", 10),
		.flags = number(line, "cold=", 10),
		.pfn = number(line, "pfn=", 10),
		.addr = number(line, "ptr=", 16),
		.count = 1,
		.value = gfp_of(line),
	};
	if (t->pfn)
		M.s->kmap.mem_map = number(line, "page=", 16) - t->pfn * 32;
}

// The four letters of context tell what the CPU was doing, which is not ours to know.
static void ignore_context(char *line)
{
	char *at = strchr(line, ']');

	memcpy(at + 2, "....", 4);
}

static unsigned check_lines(const char *file)
{
	struct trace_event t;
	struct trace_context c;
	unsigned lines = 0;
	char *save;

	read_file(file);
	for (char *line = strtok_r(Text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		parse(line, &t, &c);
		int len = trace_text(&M, &t, 0, &c, Line, sizeof(Line));
		CHECK(len > 0 && Line[len - 1] == '\n');
		Line[len - 1] = 0;
		if (strstr(line, "kmem_cache") || strstr(line, "kfree")) {
			ignore_context(Line);
			ignore_context(line);
		}
		CHECK_STR(Line, line);
		lines++;
	}
	return lines;
}

static void real_lines_come_out_again(void)
{
	boot(MODEL_3_4, 128 * MiB, 1);
	CHECK_EQ(check_lines("trace_small.txt"), 402);
	CHECK_EQ(check_lines("trace_extfrag.txt"), 110);
}

static void header(void)
{
	boot(MODEL_3_4, 128 * MiB, 1);
	int len = trace_text_header(402, 1, Line, sizeof(Line));
	read_file("trace_small.txt");
	CHECK(len > 400 && !strncmp(Text, Line, len));
}

// ---- the form of our own ----

// The kernel's print format as a regular expression over the fields of a line.
static void read_form(const char *event, regex_t *form)
{
	char file[64], pattern[2048], *out = pattern, *in;

	snprintf(file, sizeof(file), "formats/%s.format", event);
	read_file(file);
	in = strstr(Text, "print fmt: \"");
	CHECK(in);
	*out++ = '^';
	for (in += 12; *in != '"'; in++) {
		if (*in != '%') {
			*out++ = *in;
			continue;
		}
		in += in[1] == 'l' || in[1] == 'z' ? 2 : 1;
		out += sprintf(out, "%s",
			       *in == 'd'   ? "-?[0-9]+"
			       : *in == 'u' ? "[0-9]+"
			       : *in == 's' ? "[A-Z_|0-9a-fx]+"
			       : *in == 'p' ? "[0-9a-f]{8}"
					    : "[0-9a-f]+");
	}
	strcpy(out, "$");
	CHECK_EQ(regcomp(form, pattern, REG_EXTENDED | REG_NOSUB), 0);
}

static unsigned Seen[EV_COUNT], BadForm, NoLine;
static regex_t Form[EV_COUNT];

static void check_form(struct machine *m, const struct trace_event *t)
{
	const struct trace_context c = {"program", 4711, 3723000004567ull, 0xC0101234, 100};

	for (uint32_t i = 0; i < t->count; i++) {
		int len = trace_text(m, t, i, &c, Line, sizeof(Line));

		if (!len) {
			NoLine++;
			return;
		}
		Line[len - 1] = 0;
		bool ok = !strncmp(Line, "         program-4711  [00", 26) &&
			  !strncmp(Line + 33, "  3723.000004: ", 15) && strchr(Line + 48, ':') &&
			  !regexec(&Form[t->kind], strchr(Line + 48, ':') + 2, 0, NULL, 0);
		if (!ok && BadForm++ < 3)
			printf("# bad form: %s\n", Line);
		Seen[t->kind]++;
	}
}

static void use_machine(void)
{
	pfn_t held[600], pfns[300];
	unsigned cache = kmem_cache_create(&M, "things", 100, 0, 0);
	kaddr_t object = kmalloc(&M, 100, GFP_KERNEL),
		thing = kmem_cache_alloc(&M, cache, GFP_ATOMIC);

	for (unsigned i = 0; i < 600; i++)
		held[i] = alloc_pages(&M, i & 1 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, i % 3);
	CHECK_EQ(alloc_pages_bulk(&M, GFP_HIGHUSER, 300, pfns), 300);
	free_pages_bulk(&M, pfns, 300);
	for (unsigned i = 0; i < 600; i++)
		__free_pages(&M, held[i], i % 3);
	drain_all_pages(&M);
	kfree(&M, object);
	kmem_cache_free(&M, cache, thing);
	while (alloc_pages(&M, GFP_KERNEL, 9))
		;
}

static void our_lines_have_the_kernels_form(void)
{
	static const unsigned kinds[] = {EV_T_KMALLOC,
					 EV_T_KFREE,
					 EV_T_KMEM_CACHE_ALLOC,
					 EV_T_KMEM_CACHE_FREE,
					 EV_T_MM_PAGE_ALLOC,
					 EV_T_MM_PAGE_FREE,
					 EV_T_MM_PAGE_PCPU_DRAIN,
					 EV_T_KSWAPD_WAKE,
					 EV_T_MM_PAGE_ALLOC_EXTFRAG,
					 EV_T_MM_PAGE_ALLOC_ZONE_LOCKED};
	static const struct machine_ops ops = {.trace = check_form};
	const unsigned n = sizeof(kinds) / sizeof(kinds[0]);

	for (unsigned i = 0; i < n; i++)
		read_form(event_name(kinds[i]), &Form[kinds[i]]);
	boot(MODEL_3_4, 256 * MiB, 2);
	M.ops = &ops;
	use_machine();
	for (unsigned i = 0; i < n; i++) {
		printf("# %s: %u\n", event_name(kinds[i]), Seen[kinds[i]]);
		CHECK(Seen[kinds[i]]);
	}
	CHECK_EQ(BadForm, 0);
	CHECK(NoLine); // splits and merges are ours alone
}

static void runs_and_short_buffers(void)
{
	const struct trace_event run = {
		.kind = EV_T_MM_PAGE_FREE, .pfn = 5000, .count = 3, .stride = -2};
	const struct trace_context c = {.comm = "x"};

	boot(MODEL_3_4, 128 * MiB, 1);
	int len = trace_text(&M, &run, 2, &c, Line, sizeof(Line));
	CHECK(strstr(Line, " pfn=4996 order=0\n"));
	memset(Line, 'y', 100);
	CHECK_EQ(trace_text(&M, &run, 2, &c, Line, 20), len);
	CHECK(strlen(Line) == 19 && Line[20] == 'y');
}

int main(int argc, char **argv)
{
	if (argc > 1)
		folder = argv[1];
	RUN(real_lines_come_out_again);
	RUN(header);
	RUN(our_lines_have_the_kernels_form);
	RUN(runs_and_short_buffers);
	return DONE();
}
