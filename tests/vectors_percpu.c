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
	bool broken;	     // that says what cannot be: the file is not followed
};

static struct pcpu_state *percpu(struct task *t)
{
	return &t->m.s->percpu;
}

static void facts_line(struct task *t, const char *line)
{
	struct pcpu_state *p = percpu(t);

	expect(t->v, line, "unit_size", p->unit_size, number(t->v, line, "unit_size", 10));
	expect(t->v, line, "unit_pages", p->unit_size >> PAGE_SHIFT,
	       number(t->v, line, "unit_pages", 10));
	expect(t->v, line, "nr_units", t->m.s->cfg.ncpus, number(t->v, line, "nr_units", 10));
	expect(t->v, line, "nr_groups", 1, number(t->v, line, "nr_groups", 10));
	expect(t->v, line, "atom_size", p->atom_size, number(t->v, line, "atom_size", 10));
	expect(t->v, line, "static_size", p->static_size, number(t->v, line, "static_size", 10));
	expect(t->v, line, "PERCPU_DYNAMIC_RESERVE", PCPU_DYNAMIC_RESERVE,
	       number(t->v, line, "PERCPU_DYNAMIC_RESERVE", 10));
	expect(t->v, line, "PCPU_MIN_UNIT_SIZE", PCPU_MIN_UNIT_SIZE,
	       number(t->v, line, "PCPU_MIN_UNIT_SIZE", 10));
	ignore(t->v, line, "chunk_struct_size"); // an object of the general cache it fits
	// where the image and memblock put them in that kernel
	p->base_addr = number(t->v, line, "base_addr", 16);
	p->start = number(t->v, line, "start", 16);
}

// "unit_offsets: cpu0=0 cpu1=a000"
static void offsets_line(struct task *t, const char *line)
{
	const struct machine *m = &t->m;
	uint32_t ptr = percpu(t)->start; // of the first byte of the first chunk

	for (unsigned cpu = 0; cpu < m->s->cfg.ncpus; cpu++) {
		char key[16];

		snprintf(key, sizeof(key), "cpu%u", cpu);
		expect(t->v, line, key, per_cpu_ptr(m, ptr, cpu) - per_cpu_ptr(m, ptr, 0),
		       number(t->v, line, key, 16));
	}
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

// False: no chunk could look like that, and nothing can be replayed on it.
static bool load_chunk(struct task *t, const char *line)
{
	struct pcpu_state *p = percpu(t);
	struct pcpu_chunk *c = &p->chunk[PCPU_FIRST_CHUNK];
	const char *s = field(t->v, line, "map");
	char why[200] = "free_size is larger than a unit";

	expect(t->v, line, "first", 1, number(t->v, line, "first", 10));
	pcpu_slot_del(p, PCPU_FIRST_CHUNK, pcpu_chunk_slot(&t->m, c));
	c->base_addr = number(t->v, line, "base", 16);
	c->free_size = number(t->v, line, "free_size", 10);
	c->contig_hint = number(t->v, line, "contig_hint", 10);
	c->map_alloc = number(t->v, line, "map_alloc", 10);
	c->map_used = 0;
	while (s && c->map_used < PCPU_MAP_MAX && next_block(&s, &c->map[c->map_used]))
		c->map_used++;
	if (c->free_size <= p->unit_size) {
		pcpu_chunk_relocate(&t->m, PCPU_FIRST_CHUNK, -1);
		if (!pcpu_check(&t->m, why, sizeof(why)))
			return true;
	}
	vectors_mismatch(t->v, line, "%s", why);
	return false;
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
	const char *s = field(t->v, line, "map");
	const char *populated = field(t->v, line, "populated");
	uint32_t i = 0;
	int32_t want;

	if (!t->id || !s || !populated) {
		vectors_mismatch(t->v, line, "there is no such chunk");
		return;
	}
	expect(t->v, line, "first", t->id == PCPU_FIRST_CHUNK, number(t->v, line, "first", 10));
	expect(t->v, line, "slot", t->slot, number(t->v, line, "slot", 10));
	expect(t->v, line, "base", c->base_addr, number(t->v, line, "base", 16));
	expect(t->v, line, "free_size", c->free_size, number(t->v, line, "free_size", 10));
	expect(t->v, line, "contig_hint", c->contig_hint, number(t->v, line, "contig_hint", 10));
	expect(t->v, line, "map_used", c->map_used, number(t->v, line, "map_used", 10));
	expect(t->v, line, "map_alloc", c->map_alloc, number(t->v, line, "map_alloc", 10));
	expect(t->v, line, "immutable", c->immutable, number(t->v, line, "immutable", 10));
	for (; next_block(&s, &want); i++)
		expect(t->v, line, "block", i < c->map_used ? c->map[i] : 0, want);
	expect(t->v, line, "blocks", c->map_used, i);
	for (i = 0; populated[i] && populated[i] != ' ' && i < 32; i++)
		expect(t->v, line, "populated", c->populated >> i & 1, populated[i] == '1');
	expect(t->v, line, "pages", percpu(t)->unit_size >> PAGE_SHIFT, i);
}

static void chunk_line(struct task *t, const char *line)
{
	if (!t->loaded && !load_chunk(t, line)) {
		t->broken = true;
		return;
	}
	t->loaded = true;
	compare_chunk(t, line);
}

static void dump_line(struct task *t, const char *line)
{
	if (strstr(line, " end"))
		expect(t->v, line, "chunks left", next_chunk(t), 0);
	else
		expect(t->v, line, "nr_slots", percpu(t)->nr_slots,
		       number(t->v, line, "nr_slots", 10));
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
	const kaddr_t base = number(t->v, line, "chunk", 16);
	uint32_t before = count_chunks(t), after;
	uint32_t ptr = alloc_percpu(&t->m, number(t->v, line, "size", 10),
				    number(t->v, line, "align", 10));

	after = count_chunks(t);
	if (!t->m.s->cfg.smp && after > before) {
		ptr += base - percpu(t)->chunk[after].base_addr;
		percpu(t)->chunk[after].base_addr = base;
	}
	expect(t->v, line, "ptr", (int32_t)ptr, number(t->v, line, "ptr", 10));
	expect(t->v, line, "cpu0", per_cpu_ptr(&t->m, ptr, 0), number(t->v, line, "cpu0", 16));
	expect(t->v, line, "off", per_cpu_ptr(&t->m, ptr, 0) - base, number(t->v, line, "off", 10));
}

// "f SLOT PTR"
static void free_line(struct task *t, const char *line)
{
	unsigned slot;
	long long ptr;

	if (scan(t->v, line, 2, "f %u %lld", &slot, &ptr))
		expect(t->v, line, "ret", free_percpu(&t->m, (uint32_t)ptr), 0);
}

static void percpu_line(struct task *t, const char *line)
{
	if (starts(line, "facts "))
		facts_line(t, line);
	else if (starts(line, "unit_offsets: "))
		offsets_line(t, line);
	else if (starts(line, "dump "))
		dump_line(t, line);
	else if (starts(line, "chunk "))
		chunk_line(t, line);
	else if (starts(line, "a "))
		alloc_line(t, line);
	else if (starts(line, "f "))
		free_line(t, line);
	else if (!starts(line, "=== events"))
		vectors_mismatch(t->v, line, "not understood");
}

void vectors_percpu(struct vectors *v)
{
	struct task t = {.v = v};
	char why[200];
	const char *line;

	if (vectors_machine(v, &t.m))
		return;
	while (!t.broken && (line = vectors_line(v)))
		percpu_line(&t, line);
	if (!t.broken && machine_check(&t.m, why, sizeof(why)))
		vectors_mismatch(v, v->header, "%s", why);
}
