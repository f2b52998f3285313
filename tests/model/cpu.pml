/* SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: 2026 The kalloscope authors
 *
 * The lock of a simulated CPU (preload/cpu.h, cpu.c): given back by a plain store, and whoever sleeps on
 * it says so in a word of its own. A processor may look at that word before its store is seen (a store
 * buffer, as x86 has it), so a wake may be missed. Shown for every interleaving (make model):
 *
 *   two never have the lock at once;
 *   everybody gets it in the end, because no sleep is without an end.
 */
#define THREADS 2
#ifndef ROUNDS
#define ROUNDS 2
#endif

/* What must go wrong: each has to be found. */
#define NO_LIMIT 1   /* a sleep lasts until a wake */
#define UNLOCKED 2   /* the lock is taken without a locked instruction while there is another thread */
#ifndef MUTATION
#define MUTATION 0
#endif

byte w;		       /* 0: free; else 1 + its owner */
bool sleepers;
bool stored[THREADS];  /* an owner's store of 0 is still in its processor's buffer */
bool asleep[THREADS];
byte inside;

/* A locked instruction, or the buffer in its own time. */
inline flush(me)
{
	d_step { w = (stored[me] -> 0 : w); stored[me] = false }
}

active proctype buffers()
{
end:
	do
	:: atomic { stored[0] -> flush(0) }
	:: atomic { stored[1] -> flush(1) }
	od
}

proctype thread(byte me)
{
	byte round, now;
	bool someone;

	do
	:: round < ROUNDS ->
try:
#if MUTATION == UNLOCKED
		now = w;
		if
		:: now == 0 -> w = 1 + me; goto have
		:: else
		fi;
#else
		atomic { /* cpu_word_try */
			flush(me);
			if
			:: w == 0 -> w = 1 + me; goto have
			:: else
			fi
		}
#endif
		atomic { flush(me); sleepers = true }; /* word_wait */
		now = w;
		if
		:: now == 0 -> goto try
		:: else
		fi;
		atomic { /* FUTEX_WAIT: not if the word has changed */
			if
			:: w == now -> asleep[me] = true
			:: else -> goto try
			fi
		}
		if
		:: !asleep[me]
#if MUTATION != NO_LIMIT
		:: true -> asleep[me] = false /* SLEEP_NS */
#endif
		fi;
		goto try;
have:
		inside++;
		assert(inside == 1);
		inside--;
		stored[me] = true;    /* cpu_word_release */
		someone = sleepers;
		if
		:: someone -> /* cpu_wake */
			atomic { flush(me); sleepers = false };
			asleep[1 - me] = false /* FUTEX_WAKE */
		:: else
		fi;
		round++
	:: else -> break
	od
}

init
{
	atomic {
		run thread(0);
		run thread(1)
	}
}
