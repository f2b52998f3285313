// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// Vectors of topic percpu: the first chunk as it was, then every allocation and free.
#include "vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct task {
	struct vectors *v;
	struct machine m;
	uint32_t id;	     // of the chunk of the last dump line
	uint32_t left, slot; // where in the slots the next dumped chunk must be
	bool loaded;	     // the first chunk is as the first dump says
};

static long long number(const char *line, const char *key, int base)
{
	const char *at = strstr(line, key);

	return at ? strtoll(at + strlen(key), NULL, base) : -1;
}

static void expect(struct task *t, const char *line, const char *what, long long got,
		   long long want)
{
	if (got != want)
		vectors_mismatch(t->v, line, "%s is %lld (%llx), expected %lld (%llx)", what, got,
				 got, want, want);
}

static struct pcpu_state *percpu(struct task *t)
{
	return &t->m.s->percpu;
}

static void facts_line(struct task *t, const char *line)
{
	struct pcpu_state *p = percpu(t);

	expect(t, line, "unit_size", p->unit_size, number(line, "unit_size=", 10));
	expect(t, line, "atom_size", p->atom_size, number(line, "atom_size=", 10));
	expect(t, line, "static_size", p->static_size, number(line, "static_size=", 10));
	// where the image and memblock put them in that kernel
	p->base_addr = number(line, "base_addr=", 16);
	p->start = number(line, " start=", 16);
}

// The number at *s, which then points behind it; false at the end of the list.
static bool next_block(const char **s, int32_t *block)
{
	char *end;
	long value = strtol(*s, &end, 10);

	if (end == *s)
		return false;
	*s = end + (*end == ',');
	*block = value;
	return true;
}

static void load_chunk(struct task *t, const char *line)
{
	struct pcpu_state *p = percpu(t);
	struct pcpu_chunk *c = &p->chunk[PCPU_FIRST_CHUNK];
	const char *s = strstr(line, " map=") + 5;

	pcpu_slot_del(p, PCPU_FIRST_CHUNK, pcpu_chunk_slot(&t->m, c));
	c->base_addr = number(line, "base=", 16);
	c->free_size = number(line, "free_size=", 10);
	c->contig_hint = number(line, "contig_hint=", 10);
	c->map_alloc = number(line, "map_alloc=", 10);
	for (c->map_used = 0; next_block(&s, &c->map[c->map_used]);)
		c->map_used++;
	pcpu_chunk_relocate(&t->m, PCPU_FIRST_CHUNK, -1);
}

// The next chunk in slot order, lowest slot first.
static uint32_t next_chunk(struct task *t)
{
	const struct pcpu_state *p = percpu(t);

	t->id = t->id ? p->chunk[t->id].list.next : 0;
	while (!t->id && ++t->slot < p->nr_slots)
		t->id = p->slot[t->slot].first;
	return t->id;
}

static void compare_chunk(struct task *t, const char *line)
{
	const struct pcpu_chunk *c = &percpu(t)->chunk[next_chunk(t)];
	const char *s = strstr(line, " map=") + 5;
	const char *populated = strstr(line, "populated=") + 10;
	uint32_t i = 0;
	int32_t want;

	expect(t, line, "slot", t->slot, number(line, "slot=", 10));
	expect(t, line, "base", c->base_addr, number(line, "base=", 16));
	expect(t, line, "free_size", c->free_size, number(line, "free_size=", 10));
	expect(t, line, "contig_hint", c->contig_hint, number(line, "contig_hint=", 10));
	expect(t, line, "map_used", c->map_used, number(line, "map_used=", 10));
	expect(t, line, "map_alloc", c->map_alloc, number(line, "map_alloc=", 10));
	expect(t, line, "immutable", c->immutable, number(line, "immutable=", 10));
	for (; next_block(&s, &want); i++)
		expect(t, line, "block", c->map[i], want);
	for (i = 0; populated[i]; i++)
		expect(t, line, "populated", c->populated >> i & 1, populated[i] == '1');
}

static void chunk_line(struct task *t, const char *line)
{
	if (!t->loaded)
		load_chunk(t, line);
	t->loaded = true;
	compare_chunk(t, line);
}

static void dump_line(struct task *t, const char *line)
{
	if (strstr(line, " end"))
		expect(t, line, "chunks left", next_chunk(t), 0);
	else
		expect(t, line, "nr_slots", percpu(t)->nr_slots, number(line, "nr_slots=", 10));
	t->id = 0;
	t->slot = -1;
}

static uint32_t count_chunks(struct task *t)
{
	uint32_t n = 0;

	for (uint32_t id = 1; id < PCPU_CHUNKS; id++)
		n += percpu(t)->chunk[id].base_addr != 0;
	return n;
}

// On UP builds a new chunk is a block of pages, and which one depends on what the page allocator
// held, which the file does not say: the chunk is moved to where it was.
static void alloc_line(struct task *t, const char *line)
{
	const kaddr_t base = number(line, "chunk=", 16);
	uint32_t before = count_chunks(t), after;
	uint32_t ptr = alloc_percpu(&t->m, number(line, "size=", 10), number(line, "align=", 10));

	after = count_chunks(t);
	if (!t->m.s->cfg.smp && after > before) {
		ptr += base - percpu(t)->chunk[after].base_addr;
		percpu(t)->chunk[after].base_addr = base;
	}
	expect(t, line, "ptr", (int32_t)ptr, number(line, "ptr=", 10));
	expect(t, line, "cpu0", per_cpu_ptr(&t->m, ptr, 0), number(line, "cpu0=", 16));
	expect(t, line, "off", per_cpu_ptr(&t->m, ptr, 0) - base, number(line, "off=", 10));
}

void vectors_percpu(struct vectors *v)
{
	struct task t = {.v = v};
	char why[200];
	const char *line;

	if (vectors_machine(v, &t.m))
		return;
	while ((line = vectors_line(v))) {
		if (!strncmp(line, "facts ", 6))
			facts_line(&t, line);
		else if (!strncmp(line, "dump ", 5))
			dump_line(&t, line);
		else if (!strncmp(line, "chunk ", 6))
			chunk_line(&t, line);
		else if (!strncmp(line, "a ", 2))
			alloc_line(&t, line);
		else if (!strncmp(line, "f ", 2))
			expect(&t, line, "ret", free_percpu(&t.m, atoll(strchr(line + 2, ' '))), 0);
	}
	if (machine_check(&t.m, why, sizeof(why)))
		vectors_mismatch(v, v->header, "%s", why);
}
