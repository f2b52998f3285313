// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// DEBUG_SLAB: the bytes around and in objects.
#include "slab_debug.h"

#include "machine.h"

static int red_byte(bool held, uint32_t at)
{
	return (int)((held ? RED_ACTIVE : RED_INACTIVE) >> 8 * at & 0xFF);
}

// A held object's bytes are its holder's from the moment it is handed out.
static int object_byte(const struct kmem_cache *c, bool held, uint32_t at)
{
	if (held || !(c->flags & SLAB_POISON) || at >= c->obj_size)
		return -1;
	return at == c->obj_size - 1 ? POISON_END : POISON_FREE;
}

// Which part the byte `at` of a buffer is; *from is where the part begins.
static enum slab_part part_of(const struct kmem_cache *c, uint32_t at, uint32_t *from)
{
	uint32_t end = c->buffer_size, user = 0;

	*from = 0;
	if (c->flags & SLAB_STORE_USER) {
		*from = end - USER_BYTES;
		if (at >= *from)
			return SLAB_LAST_USER;
		user = c->flags & SLAB_RED_ZONE ? RED_BYTES : USER_BYTES;
	}
	if (c->flags & SLAB_RED_ZONE) {
		if (at >= end - user)
			return SLAB_PADDING;
		*from = end - user - RED_BYTES;
		if (at >= *from)
			return SLAB_REDZONE2;
		*from = 0;
		if (at < RED_BYTES)
			return SLAB_REDZONE1;
	}
	*from = c->obj_offset;
	return at - c->obj_offset < c->obj_size ? SLAB_OBJECT : SLAB_PADDING;
}

struct slab_debug slab_debug_at(const struct machine *m, kaddr_t addr)
{
	struct slab_debug d = {.byte = -1};
	unsigned cache, index;
	uint32_t from;
	pfn_t slab;

	if (!m->s->cfg.slab_debug || !slab_lookup(m, addr, &cache, &slab, &index))
		return d;
	const struct kmem_cache *c = &m->caches[cache];
	d.object = slab_obj_addr(c, &m->slab_area[slab], index);
	d.held = handed_out(m, c, d.object);
	uint32_t at = addr - (d.object - c->obj_offset);
	d.part = part_of(c, at, &from);
	if (d.part == SLAB_REDZONE1 || d.part == SLAB_REDZONE2)
		d.byte = red_byte(d.held, at - from);
	else if (d.part == SLAB_OBJECT)
		d.byte = object_byte(c, d.held, at - from);
	return d;
}

const char *slab_part_name(enum slab_part part)
{
	static const char *const names[] = {"none",	  "red zone 1", "object",
					    "red zone 2", "padding",	"last caller"};

	return part <= SLAB_LAST_USER ? names[part] : "?";
}
