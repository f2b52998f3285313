// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: 2026 The kalloscope authors
// The stack as a thread's last walk found it: the next walk ends where it meets what still stands.
//
//   frame[0]  outermost     word[0]                     all memory that the walk from frame i on
//   frame[1]                   :                        outwards read: word[0 .. frame[i].nwords)
//      :                    word[frame[1].nwords - 1]
//   frame[n - 1]               :
//
// The rest of a walk is a function of the frame it has come to (ip, sp, and fp where the rest depends
// on it) and of the words it reads from there on. So when a walk comes to frame[i] again, and those
// words have their values, the rest is what it was. Outer frames' words come first: as far as the
// words hold, counted from the front, the frames stand.
//
// All words lie in the thread's known stack, where they can be read at any time and in any order.
// A frame is only here when the walk from it to the end of the stack went by rules and was whole.
#pragma once

#include "unwind.h"

struct standing_frame {
	struct frame at;
	uint16_t nwords;
	bool fp_used; // the walk from here on depends on at.fp
};

struct standing {
	unsigned n;   // frames that may stand; depot_path.ip begins with theirs
	uint32_t age; // cache_age() of the walk
	struct standing_frame frame[TRACE_FRAMES];
	struct trace_word word[TRACE_WORDS];
};

// How many frames, counted from the outermost, stand.
unsigned standing_look(const struct standing *s);

static inline bool standing_meets(const struct standing_frame *s, const struct frame *f)
{
	return s->at.sp == f->sp && s->at.ip == f->ip && (!s->fp_used || s->at.fp == f->fp);
}

// Puts the frames of a walk that met frame[outer - 1] (0: none) on top of those. True: the words of
// the whole walk are there, up to those of the frame the walk began with. n stays at `outer`.
bool standing_put(struct standing *s, const struct trace *tr, unsigned outer);

// May later walks end at these frames?
bool standing_is_sound(const struct standing *s, const struct thread *t, const struct trace *tr,
		       unsigned outer);
