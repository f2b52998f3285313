/* SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: 2026 The kalloscope authors
 *
 * How records come from a program's rings into a recording: two CPUs write, a drainer moves them
 * into the spool, an inserter merges them by their tickets. The program may be killed between any
 * two steps, the drainer as well, DEATHS times. Shown for every interleaving (make model):
 *
 *   every record whose head was published is applied, once, as it was written;
 *   records of a CPU in its order, records of a lock by their tickets, without a gap;
 *   the merge is never stuck, and everything comes to an end.
 *
 * Steps and names are those of the code, named at each step. Accesses are in program order here: where
 * the code says release and acquire, the models with MUTATION show what happens when they swap.
 * Not modelled: a program that stops waiting for a full ring (it counts what it gives up), and
 * BARRIER records.
 */
#define CPUS 2
#ifndef RECORDS
#define RECORDS 2 /* of a CPU */
#endif
#ifndef SIZE
#define SIZE 2 /* ring_records */
#endif
#define CHUNKS (CPUS * RECORDS)
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef LOCAL
#define LOCAL 0 /* 1: some records belong to no lock */
#endif
#ifndef FOLLOWS
#define FOLLOWS 0 /* 1: the inserter reads while the drainer writes; else behind it */
#endif
#define NOTHING 99 /* what lies in a ring before anything was written */

/* What must go wrong: each has to be found. */
#define HEAD_FIRST 1 /* the head is published before the record is stored */
#define TAIL_FIRST 2 /* the tail moves before the chunk is in the spool */
#define OVERRUN 3    /* a producer does not look at the tail */
#define TORN_KEPT 4  /* a new drainer does not cut off a torn chunk */
#define ANY_ORDER 5  /* the merge does not look at tickets */
#define TWICE 6	     /* a new drainer begins at the tail, the inserter takes what it knows again */
#define UNLOCKED 7   /* a ticket is drawn after the lock's section */
#ifndef MUTATION
#define MUTATION 0
#endif

/* core/session.h: struct ring, and the records; a record is its ticket, 0: of no lock */
byte ring[CPUS * SIZE] = NOTHING;
byte head[CPUS], tail[CPUS];
byte made[CPUS * RECORDS]; /* what each record said when it was made */

/* core/machine.h: step_begin, step_end */
bool lock;
byte ticket;

bool killed;	/* the program, by SIGKILL */
byte producers = CPUS; /* that have not come to their end */

/* db/spool.h */
typedef chunk {
	byte cpu, first, count;
	byte record[SIZE]
};
chunk spool[CHUNKS];
byte nchunks;
#define WHOLE 255
byte torn = WHOLE; /* number of the chunk that is torn: it and all behind it cannot be read */
bool closed;

/* A CPU of the program: preload/ring.c under the lock of the CPU. */
proctype producer(byte cpu)
{
	byte i, mine;
	bool locked;

	{
		do
		:: i < RECORDS ->
			if
			:: locked = true;
#if MUTATION != UNLOCKED
			   atomic { !lock -> lock = true } /* step_begin */
			   d_step { ticket++; mine = ticket; made[cpu * RECORDS + i] = mine } /* step_end */
#else
			   mine = ticket + 1;
			   d_step { ticket = mine; made[cpu * RECORDS + i] = mine }
#endif
#if LOCAL
			:: locked = false; mine = 0; made[cpu * RECORDS + i] = 0 /* step_local */
#endif
			fi;
#if MUTATION != OVERRUN
			(head[cpu] - tail[cpu] < SIZE); /* ring_wait */
#endif
#if MUTATION == HEAD_FIRST
			head[cpu] = i + 1;
			ring[cpu * SIZE + i % SIZE] = mine;
#else
			ring[cpu * SIZE + i % SIZE] = mine; /* ring_put */
			head[cpu] = i + 1;		    /* ring_publish */
#endif
#if MUTATION != UNLOCKED
			d_step { lock = (locked -> false : lock); locked = false; mine = 0; i++ }
#else
			i++
#endif
		:: else -> break
		od
	} unless { killed };
	producers--
}

active proctype killer()
{
	if
	:: killed = true
	:: true
	fi
}

/* db/drain.c. What it knows is gone when it dies; a next one takes over (db/supervise.c). */
active proctype drainer()
{
	byte next[CPUS];
	byte cpu, n, part, k, deaths;
	bool gone;

takeover:
	skip; /* scan_spool */
	d_step {
		cpu = 0; n = 0; part = 0; gone = false;
		do
		:: cpu < CPUS -> next[cpu] = 0; cpu++
		:: else -> break
		od;
#if MUTATION != TORN_KEPT
		torn = WHOLE; /* ftruncate */
#endif
		k = 0;
		do
		:: k < nchunks ->
			next[spool[k].cpu] = spool[k].first + spool[k].count;
			k++
		:: else -> break
		od;
#if MUTATION == TWICE
		next[0] = tail[0];
		next[1] = tail[1];
#endif
		k = 0;
		do
		:: nchunks < CHUNKS && k < SIZE -> spool[nchunks].record[k] = 0; k++
		:: else -> break
		od;
		cpu = 0; k = 0
	}
	do
	:: gone = producers == 0; /* slot_over, before the rings are looked at once more */
	   cpu = 0;
	   do
	   :: cpu < CPUS ->
		n = head[cpu] - next[cpu]; /* drain_ring */
		n = (n > SIZE -> 0 : n);
		do
		:: n > 0 -> /* drain_part: as far as the ring's end */
			part = SIZE - next[cpu] % SIZE;
			part = (part < n -> part : n);
			k = 0;
#if MUTATION == TAIL_FIRST
			tail[cpu] = next[cpu] + part;
#endif
			if
			:: deaths < DEATHS -> deaths++; goto takeover
			:: true
			fi;
			assert(nchunks < CHUNKS);
			do /* spool_write: the kernel takes the records out of the ring itself, one after the other */
			:: k < part ->
				spool[nchunks].record[k] = ring[cpu * SIZE + (next[cpu] + k) % SIZE];
				k++
			:: k && deaths < DEATHS && torn == WHOLE -> deaths++; torn = nchunks; goto takeover
			:: k == part -> break
			od;
			skip;
			d_step { /* whole, for the reader takes no less */
				spool[nchunks].cpu = cpu;
				spool[nchunks].first = next[cpu];
				spool[nchunks].count = part;
				nchunks++
			}
			if
			:: deaths < DEATHS -> deaths++; goto takeover
			:: true
			fi;
			d_step { next[cpu] = next[cpu] + part; n = n - part; part = 0; k = 0 }
#if MUTATION != TAIL_FIRST
			tail[cpu] = next[cpu]
#endif
		:: else -> break
		od;
		cpu++
	   :: else -> break
	   od;
	   if
	   :: gone -> break
	   :: else
	   fi
	od;
	closed = true /* SPOOL_ENDED, SPOOL_CLOSED */
}

/* db/insert.c, db/process.c, core/merge.c */
active proctype inserter()
{
	byte queue[CPUS * RECORDS]; /* records of each CPU as they came */
	byte have[CPUS], applied[CPUS];
	byte at, k, cpu, last;
	byte what;

#if !FOLLOWS
	(closed);
#endif
	do
	:: at < nchunks && at < torn -> /* spool_next, proc_records: what is known is left out */
	   d_step {
		cpu = spool[at].cpu;
		k = 0;
		do
		:: k < spool[at].count ->
			if
#if MUTATION == TWICE
			:: true ->
#else
			:: spool[at].first + k >= have[cpu] ->
#endif
				assert(have[cpu] < RECORDS);
				queue[cpu * RECORDS + have[cpu]] = spool[at].record[k];
				have[cpu] = have[cpu] + 1
#if MUTATION != TWICE
			:: else
#endif
			fi;
			k++
		:: else -> break
		od;
		at++
	   }
	:: atomic { /* merge_pick: the head of a ring, when its lock's turn has come */
		if
		:: applied[0] < have[0] -> cpu = 0
		:: applied[1] < have[1] -> cpu = 1
		fi;
		what = queue[cpu * RECORDS + applied[cpu]];
		if
#if MUTATION == ANY_ORDER
		:: true ->
#else
		:: what == 0 || what == last + 1 ->
#endif
			assert(what == made[cpu * RECORDS + applied[cpu]]);
			assert(what == 0 || what == last + 1);
			last = (what -> what : last);
			applied[cpu] = applied[cpu] + 1
		:: else -> skip
		fi
	   }
	:: closed && at == nchunks && applied[0] == have[0] && applied[1] == have[1] -> break
	:: closed && at >= torn -> break
	/* MERGE_STUCK: heads wait for tickets that never come */
	:: closed && at == nchunks &&
	   (applied[0] == have[0] || (queue[applied[0]] && queue[applied[0]] != last + 1)) &&
	   (applied[1] == have[1] || (queue[RECORDS + applied[1]] && queue[RECORDS + applied[1]] != last + 1)) &&
	   (applied[0] < have[0] || applied[1] < have[1]) -> assert(false)
	od;
	assert(applied[0] == head[0] && applied[1] == head[1]) /* no published record is lost */
}

init
{
	atomic {
		run producer(0);
		run producer(1)
	}
}
