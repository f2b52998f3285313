// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// What a kernel with DEBUG_SLAB keeps around and in objects (reference 7.7).
//
//   buffer  | red zone 1 | object ........... | red zone 2 | pad | last caller |
//   bytes         8        obj_size, from 8         8         4         4
//
// Poisoned:  nobody holds it: 6b ... 6b a5      just handed out: 5a ... 5a a5
// Red zones: nobody holds it: 09F911029D74E35B  held: D84156C5635688C0, least byte first
//
// An alignment above 8 leaves no place for red zones and caller: such a cache poisons at most. The core
// keeps no bytes; what stands there follows from whether somebody holds the object. The last caller is
// the one of the event that handed it out or took it back.
#pragma once

#include "types.h"

struct machine;

#define RED_INACTIVE 0x09F911029D74E35Bull
#define RED_ACTIVE   0xD84156C5635688C0ull

enum {
	POISON_INUSE = 0x5A,
	POISON_FREE = 0x6B,
	POISON_END = 0xA5,
	RED_BYTES = 8,
	USER_BYTES = 4,
};

enum slab_part {
	SLAB_NO_PART, // not in a buffer of a debug cache
	SLAB_REDZONE1,
	SLAB_OBJECT,
	SLAB_REDZONE2,
	SLAB_PADDING,
	SLAB_LAST_USER,
};

struct slab_debug {
	enum slab_part part;
	bool held;	// somebody has the object
	int byte;	// what stands at the address; -1: the holder's, or nobody knows
	kaddr_t object; // its first byte
};

struct slab_debug slab_debug_at(const struct machine *m, kaddr_t addr);
const char *slab_part_name(enum slab_part part); // "red zone 1"
