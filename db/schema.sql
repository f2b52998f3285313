-- SPDX-License-Identifier: MIT
-- SPDX-FileCopyrightText: 2026 The kalloscope authors
-- A kalloscope recording. Plain SQLite: `sqlite3 FILE 'SELECT * FROM events LIMIT 10'`.
--
-- People read the views (events, transitions, stacks, sites); the tables are shaped for size and
-- for the speed of recording: what many rows share stands once in a context table.
-- The file is a valid database at every commit; meta.complete = 1 once it is finished.

-- One row per fact about the whole recording: version, complete, argv, start (Unix time, ns),
-- duration_ns, finish_ns (what the recorder took behind the last record), events, transitions, processes, lost, divergences, divergence (the first one, in
-- words), truncated (why the recording ends early), options of the machine ...
CREATE TABLE meta(
	key TEXT PRIMARY KEY,
	value
) WITHOUT ROWID;

-- One row per process image: a fork and an exec both begin a new one.
CREATE TABLE process(
	process INTEGER PRIMARY KEY, -- number within the recording, 1 is the program
	parent INTEGER,              -- forked from, or the image that called exec; 0 none
	how INTEGER,                 -- 0 first, 1 fork, 2 exec
	pid INTEGER,                 -- the host's process id
	ppid INTEGER,
	image INTEGER,               -- address-space image at start; see module.image
	ncpus INTEGER,               -- simulated CPUs
	exe TEXT,                    -- path of the executable
	argv TEXT,                   -- arguments, separated by newlines
	fork_barrier INTEGER,        -- fork: number of the parent's barrier the machine starts from
	fork_event INTEGER,          -- fork: last event of the parent in this machine's past
	first_event INTEGER,         -- ids of its first and last event; NULL when it made none
	last_event INTEGER,
	events INTEGER,              -- how many
	start_ns INTEGER,            -- since the start of the recording
	end_ns INTEGER,
	lost INTEGER,                -- records the program had to give up
	divergences INTEGER,         -- records that contradict the machine's state
	early_calls INTEGER,         -- calls served before the machine was up
	unrecorded_children INTEGER, -- children that could not be recorded
	killed INTEGER,              -- 1: it vanished without saying goodbye
	wait_status INTEGER,         -- as waitpid gave it; NULL unknown
	live_bytes INTEGER,          -- requested and not given back at the end
	live_count INTEGER,
	peak_bytes INTEGER,          -- greatest sum of requested bytes alive (files and reservations do not count)
	peak_event INTEGER,          -- the event that reached it
	state_check TEXT             -- the program's final machine against the replayed one: 'equal', 'differs at ...',
	                             -- 'ended within a call, at ...' (killed there: its steps differ); NULL not compared
);

-- One row per thread seen, by its number within the process.
CREATE TABLE thread(
	process INTEGER,
	thread INTEGER,      -- slot number in the process, 1.. (a later thread may reuse one)
	name TEXT,
	first_event INTEGER,
	last_event INTEGER,
	events INTEGER,
	PRIMARY KEY(process, thread)
) WITHOUT ROWID;

-- What many events share. `cache` depends on the path: cache id (kmalloc, slab), order (pages),
-- host_reason (host), number of the pool (own_pool).
CREATE TABLE context(
	context INTEGER PRIMARY KEY,
	process INTEGER,
	thread INTEGER,
	cpu INTEGER,         -- simulated CPU
	kind INTEGER,        -- kind_name
	path INTEGER,        -- path_name
	cache INTEGER,
	gfp INTEGER,         -- gfp_name
	flags INTEGER,       -- bits: 1 popped from / 2 pushed to the CPU's array, 4 failed, 8 nested in a signal handler, 16 not the thread's own CPU, 32 small stack, 64 early stack, 128 truncated stack
	alloc INTEGER        -- bytes really taken; -1: req; NULL: req rounded up to pages
);

-- What calls share that ask for the same from the same place.
CREATE TABLE call(
	call INTEGER PRIMARY KEY,
	context INTEGER,
	stack INTEGER,       -- 0 none
	req INTEGER          -- bytes asked for; NULL:
	                     -- event_row.arg has it (a size that seldom comes back)
);

-- What the program did, in the order of completion: rowid is the event's id, 1.. without gaps.
-- The view `event` has the columns one would expect, the view `events` their names.
CREATE TABLE event_row(
	call INTEGER,
	addr INTEGER,        -- simulated address as a signed 32-bit number (add 2^32 when negative), or a host address; NULL: that of the matching allocation
	arg INTEGER          -- id - arg is the matching allocation, 0 none; where call.req is NULL: bytes asked for
);

-- The clock is read every few events: t_ns holds from `event` to the next row.
CREATE TABLE clock(
	event INTEGER PRIMARY KEY,
	t_ns INTEGER         -- since the start of the recording; rises with `event`
);

-- The few events that have more operands than fit a row.
CREATE TABLE event_old(
	event INTEGER PRIMARY KEY,
	old INTEGER,         -- old address of realloc and mremap (no row: that of the matching allocation), protection of mprotect, advice of madvise,
	                     -- status of exit, threads there are after thread_start and thread_exit
	old_path INTEGER,    -- path_name of the old block
	back INTEGER         -- as event_row.arg, where that holds the bytes asked for
);

-- What many transitions share; unused fields are 0 (zone: 255).
CREATE TABLE transition_context(
	context INTEGER PRIMARY KEY,
	process INTEGER,
	cpu INTEGER,
	kind INTEGER,        -- kind_name
	zone INTEGER,        -- 0 DMA, 1 Normal, 2 HighMem, 255 none
	"order" INTEGER,
	order2 INTEGER,
	migratetype INTEGER,
	migratetype2 INTEGER,
	cache INTEGER,       -- cache id
	flags INTEGER
);

-- What the machine did on behalf of an event. A row may stand for a run: pfn, pfn + stride, ...
-- count times. Details that only repeat the event itself are left out.
CREATE TABLE transition(
	event INTEGER,       -- 0: work that no completed event claimed
	seq INTEGER,         -- order within the event, 0..
	context INTEGER,
	pfn INTEGER,
	addr INTEGER,        -- signed 32 bits, as event.addr
	count INTEGER,
	stride INTEGER,
	value INTEGER,       -- last field of the kind: gfp, pages freed, pkmap_count ...
	PRIMARY KEY(event, seq)
) WITHOUT ROWID;

-- Caches of a process by id, with the name at creation. Ids are reused after a destroy: the row
-- with the greatest `event` not after the event in question is the one.
CREATE TABLE cache(
	process INTEGER,
	cache INTEGER,
	event INTEGER,       -- last event before the cache was there; 0 from the start
	name TEXT,
	object_size INTEGER, -- bytes asked for per object
	buffer_size INTEGER, -- bytes an object takes
	PRIMARY KEY(process, cache, event)
) WITHOUT ROWID;

-- Files mapped with code, from which addresses get their names. Addresses of an image number
-- belong to one set of modules; unloading a module begins a new image.
CREATE TABLE module(
	module INTEGER PRIMARY KEY,
	process INTEGER,
	image INTEGER,       -- 0: the image of the process at start
	event INTEGER,       -- last event before it was seen
	path TEXT,
	build_id TEXT,       -- hexadecimal; NULL unknown
	base INTEGER,        -- load bias: address minus address in the file
	start INTEGER,       -- first address
	"end" INTEGER,       -- first address behind
	text TEXT            -- as the program's side wrote it
);

-- Return addresses. One row per distinct (image, ip).
CREATE TABLE address(
	address INTEGER PRIMARY KEY,
	image INTEGER,
	ip INTEGER,
	module INTEGER,      -- module.module; NULL unknown
	offset INTEGER       -- within the module's file
);

-- Stacks in pieces that many share: chunks of at most eight frames, counted from the outermost one.
-- The view `stack_frame` has them frame by frame.
CREATE TABLE stack_part(
	stack INTEGER,
	depth INTEGER,       -- of the chunk's innermost frame; 0 is the caller of malloc
	chunk INTEGER,
	PRIMARY KEY(stack, depth)
) WITHOUT ROWID;
CREATE TABLE chunk_frame(
	chunk INTEGER,
	place INTEGER,       -- 0: innermost
	address INTEGER,
	PRIMARY KEY(chunk, place)
) WITHOUT ROWID;

-- Names of an address, innermost inlined function first. Filled when the recording ends; can be
-- made again where debug files are.
CREATE TABLE frame(
	address INTEGER,
	inline_order INTEGER, -- 0: innermost; the last one is the function that has the code
	function TEXT,
	file TEXT,
	line INTEGER,
	place INTEGER,       -- bytes from the start of its code; NULL unknown, or inlined
	size INTEGER,        -- of its code; NULL likewise
	PRIMARY KEY(address, inline_order)
) WITHOUT ROWID;

-- Who served the allocations that succeeded: the simulated machine, or the host and why.
CREATE TABLE served(
	reason INTEGER PRIMARY KEY, -- 0 the machine; else reason_name
	calls INTEGER,
	bytes INTEGER,       -- requested
	first_event INTEGER,
	first_req INTEGER    -- bytes the first of them asked for
);

-- Totals per process and stack.
CREATE TABLE stack_stat(
	process INTEGER,
	stack INTEGER,
	calls INTEGER,       -- allocations
	bytes INTEGER,       -- requested
	alloc_bytes INTEGER, -- really taken
	live_count INTEGER,  -- not given back at the end
	live_bytes INTEGER,
	peak_bytes INTEGER,  -- alive when the process was at its peak
	temporary INTEGER,   -- given back by the very next call of the same thread
	failed INTEGER,      -- allocations that failed
	PRIMARY KEY(process, stack)
) WITHOUT ROWID;

-- Minima and maxima per bucket of events, in three resolutions (256, 4096, 65536 events of the
-- process), for drawing a curve without reading the events. Zones in pages, the others in bytes.
CREATE TABLE timeline(
	process INTEGER,
	level INTEGER,       -- 0, 1, 2
	bucket INTEGER,      -- 0..
	first_event INTEGER,
	last_event INTEGER,
	t_ns INTEGER,        -- of the first event
	dma_min INTEGER, dma_max INTEGER,
	normal_min INTEGER, normal_max INTEGER,
	highmem_min INTEGER, highmem_max INTEGER,
	program_min INTEGER, program_max INTEGER, -- bytes requested and alive
	host_min INTEGER, host_max INTEGER,       -- of these, bytes the host serves
	failures INTEGER,    -- allocations that failed in the bucket
	PRIMARY KEY(process, level, bucket)
) WITHOUT ROWID;

-- The merged records of a process, compressed. Applying them in order from a keyframe gives the
-- machine at any event.
CREATE TABLE log(
	process INTEGER,
	seq INTEGER,          -- 0..
	before_event INTEGER, -- last completed event before the first record; 0 none
	last_event INTEGER,   -- last completed event in this blob, or before_event
	records INTEGER,
	data BLOB,
	PRIMARY KEY(process, seq)
) WITHOUT ROWID;

-- States of a machine: the memory before the first record of log blob `seq`. An incremental one
-- needs every keyframe of the process since the last full one, in order.
CREATE TABLE keyframe(
	process INTEGER,
	seq INTEGER,         -- log.seq
	event INTEGER,       -- last completed event in it; 0: the booted machine
	barrier INTEGER,     -- last barrier in it
	"full" INTEGER,
	data BLOB,
	PRIMARY KEY(process, seq)
) WITHOUT ROWID;

-- Which events may have touched an address or a frame, so that looking for them need not read all:
-- per part of 16,384 events 64 Bloom filters of 256 events each, as touched.h has them. No row: any may.
CREATE TABLE touched(
	part INTEGER PRIMARY KEY, -- event / 16384
	filter BLOB
);

-- Program marks (kalloscope_mark).
CREATE TABLE mark(
	event INTEGER,       -- its own
	process INTEGER,
	t_ns INTEGER,
	text TEXT
);

-- Pools of the program itself (kalloscope_pool_create); a forked child has its parent's, too.
CREATE TABLE pool(
	process INTEGER,
	pool INTEGER,        -- context.cache where the path is own_pool
	event INTEGER,       -- that created it
	name TEXT,
	PRIMARY KEY(process, pool)
) WITHOUT ROWID;

-- Names for the numbers.
CREATE TABLE kind_name(kind INTEGER PRIMARY KEY, name TEXT, fields TEXT); -- fields: arguments of a step or transition
CREATE TABLE path_name(path INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE reason_name(reason INTEGER PRIMARY KEY, name TEXT); -- why the host served
CREATE TABLE gfp_name(gfp INTEGER PRIMARY KEY, name TEXT);       -- those that occur
CREATE TABLE migratetype_name(migratetype INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE zone_name(zone INTEGER PRIMARY KEY, name TEXT);

-- Stacks, innermost frame first.
CREATE VIEW stack_frame(stack, depth, address) AS
SELECT s.stack, s.depth + f.place, f.address FROM stack_part s CROSS JOIN chunk_frame f USING (chunk);

-- Events with what they share put back, in numbers. back: id - back is the matching allocation; 0 none.
CREATE VIEW event(rowid, context, t_ns, addr, req, stack, back) AS
SELECT e.rowid, l.context,
	(SELECT k.t_ns FROM clock k WHERE k.event <= e.rowid ORDER BY k.event DESC LIMIT 1),
	ifnull(e.addr, (SELECT a.addr FROM event_row a WHERE a.rowid = e.rowid - e.arg)),
	ifnull(l.req, e.arg), l.stack,
	CASE WHEN l.req IS NOT NULL THEN e.arg
		ELSE ifnull((SELECT o.back FROM event_old o WHERE o.event = e.rowid), 0) END
FROM event_row e CROSS JOIN call l USING (call);

-- One row per thing the program did.
CREATE VIEW events(id, t_ns, process, thread, cpu, kind, path, addr, req, alloc, gfp, stack, ref,
	cache, reason, flags, old) AS
SELECT e.rowid, e.t_ns, c.process, c.thread, c.cpu, k.name, p.name,
	CAST(CASE WHEN e.addr < 0 THEN e.addr + 4294967296 ELSE e.addr END AS INTEGER),
	CAST(e.req AS INTEGER),
	CAST(CASE c.alloc WHEN -1 THEN e.req ELSE ifnull(c.alloc, (e.req + 4095) & ~4095) END AS INTEGER),
	c.gfp, e.stack,
	CAST(CASE WHEN e.back THEN e.rowid - e.back ELSE 0 END AS INTEGER),
	CAST(CASE WHEN p.name IN ('kmalloc', 'slab') AND c.cache THEN
		(SELECT x.name FROM cache x WHERE x.process = c.process AND x.cache = c.cache
			AND x.event < e.rowid ORDER BY x.event DESC LIMIT 1)
		WHEN p.name = 'own_pool' THEN
		(SELECT x.name FROM pool x WHERE x.process = c.process AND x.pool = c.cache) END AS TEXT),
	CAST(CASE WHEN p.name = 'host' THEN (SELECT r.name FROM reason_name r WHERE r.reason = c.cache) END AS TEXT),
	c.flags,
	CAST(CASE WHEN k.name IN ('realloc', 'mremap', 'mprotect', 'madvise', 'exit', 'thread_start', 'thread_exit') THEN
		ifnull((SELECT o.old FROM event_old o WHERE o.event = e.rowid),
			CASE WHEN e.back THEN (SELECT CASE WHEN a.addr < 0 THEN a.addr + 4294967296
				ELSE a.addr END FROM event_row a WHERE a.rowid = e.rowid - e.back)
			WHEN k.name = 'exit' THEN 0 END) END AS INTEGER)
FROM event e CROSS JOIN context c USING (context)
	JOIN kind_name k USING (kind) JOIN path_name p USING (path);

-- One row per thing the machine did, or per run of them.
CREATE VIEW transitions(id, event, process, cpu, kind, zone, pfn, "order", order2, migratetype,
	cache, addr, count, stride, value, migratetype2, flags) AS
SELECT CAST((t.event << 20) + t.seq AS INTEGER), t.event, c.process, c.cpu, k.name, z.name, t.pfn, c."order", c.order2,
	m.name, c.cache,
	CAST(CASE WHEN t.addr < 0 THEN t.addr + 4294967296 ELSE t.addr END AS INTEGER),
	t.count, t.stride, t.value, c.migratetype2, c.flags
FROM transition t JOIN transition_context c USING (context)
	JOIN kind_name k USING (kind)
	LEFT JOIN zone_name z ON z.zone = c.zone
	LEFT JOIN migratetype_name m ON m.migratetype = c.migratetype;

-- One row per frame, innermost first; `inlined` orders the functions inlined into one frame.
CREATE VIEW stacks(stack, depth, function, file, line, module, inlined, ip) AS
SELECT s.stack, CAST(s.depth AS INTEGER),
	CAST(coalesce(f.function, m.path || '+' || printf('0x%x', a.offset), printf('0x%x', a.ip)) AS TEXT),
	f.file, f.line, m.path, CAST(ifnull(f.inline_order, 0) AS INTEGER), a.ip
FROM stack_frame s JOIN address a USING (address)
	LEFT JOIN frame f USING (address)
	LEFT JOIN module m ON m.module = a.module;

-- One row per call site (stack), all processes together.
CREATE VIEW sites(stack, calls, bytes, live_bytes, live_count, peak_bytes, temporary, function,
	alloc_bytes, failed) AS
SELECT s.stack, CAST(sum(calls) AS INTEGER), CAST(sum(bytes) AS INTEGER), CAST(sum(live_bytes) AS INTEGER),
	CAST(sum(live_count) AS INTEGER), CAST(sum(peak_bytes) AS INTEGER), CAST(sum(temporary) AS INTEGER),
	CAST((SELECT x.function FROM stacks x WHERE x.stack = s.stack ORDER BY x.depth, x.inlined LIMIT 1) AS TEXT),
	CAST(sum(alloc_bytes) AS INTEGER), CAST(sum(failed) AS INTEGER)
FROM stack_stat s GROUP BY s.stack;
