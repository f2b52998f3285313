#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""The numbers of the viewer's models equal `kalloscope proc` and SQL at the same events.

    tests/figures.py BUILD [EVENTS]     TAP on stdout; random events of recordings of python and gcc
"""
import os
import random
import re
import subprocess
import sys
import tempfile

build = os.path.abspath(sys.argv[1])
events = int(sys.argv[2]) if len(sys.argv) > 2 else 0
kalloscope = build + "/kalloscope"
PYTHON = """import json, mmap
windows = [mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(30)]
areas = [mmap.mmap(-1, 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(20)]
print(len(json.dumps({str(i): [i] * 9 for i in range(2000)})))
del windows[::2], areas[::3]
print(len(json.dumps({str(i): [i] * 9 for i in range(2000)})))"""


TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MARKS = """#include <stdlib.h>
#include <unistd.h>
#include "kalloscope.h"
int main(void)
{
	kalloscope_mark("begins");
	for (int i = 0; i < 500; i++)
		free(i % 3 ? malloc(i * 40) : NULL);
	kalloscope_mark("before the child");
	if (!fork())
		return malloc(100) == NULL;
	return malloc(5000) == NULL;
}
"""


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def sql(recording, query):
    return [line.split("\t") for line in run(kalloscope, "sql", "-n", recording, query).splitlines()]


def model(recording, process, at):
    """{event: set of lines}"""
    out, current = {}, None
    for line in run(build + "/tests/model_figures", recording, process, *map(str, at)).splitlines():
        if line.startswith("event "):
            current = out[int(line[6:])] = set()
        else:
            current.add(line)
    return out


def buddy(text):
    return {m[1]: m[2].split() for m in re.finditer(r"zone +(\w+) +(.*)", text)}


def zones(text, orders):
    lines = set()
    for name, body in re.findall(r"Node 0, zone +(\w+)\n(.*?)(?=Node 0, zone|\Z)", text, re.S):
        free, low, mid, high, present = (re.search(rf"\b{k} +(\d+)", body)[1] for k in
                                         ("pages free", "min", "low", "high", "present"))
        lines.add(" ".join(["zone", name, free, low, mid, high, present] + orders[name]))
        for cpu in re.finditer(r"cpu: (\d+)\s+count: +(\d+)\s+high: +(\d+)\s+batch: +(\d+)", body):
            lines.add(" ".join(["pcp", name] + list(cpu.groups())))
    return lines


def caches(text):
    lines = set()
    for line in text.splitlines()[2:]:
        w = line.split()
        name, active, total, size, per_slab = w[:5]
        limit, batch = w[8], w[9]
        slabs, shared = w[14], w[15]
        lines.add(f"cache {name} {active} {total} {size} {per_slab} {limit} {batch} {slabs} {shared}")
    return lines


def areas(text):
    return {"area " + line.split()[0] for line in text.splitlines() if line}


def windows(recording, process, at):
    """{event: one-page mappings that live then, each a window of its own}"""
    rows = sql(recording, f"""SELECT id, CASE kind WHEN 'mmap' THEN 1 ELSE -1 END FROM events
        WHERE process = {process} AND path = 'kmap' AND (kind = 'mmap' OR kind = 'munmap' AND ref) ORDER BY id""")
    steps = [(int(event), int(by)) for event, by in rows]
    return {event: sum(by for moment, by in steps if moment <= event) for event in at}


OPF_FAILED = 4
TYPES = ["Unmovable", "Reclaimable", "Movable", "Reserve", "Isolate"]


def types(text, event):
    """Free blocks by mobility, and of one order again as the lists are walked"""
    lines = set()
    for zone, name, counts in re.findall(r"zone +(\w+), type +(\w+) +([\d ]+)\n", text):
        lines.add(" ".join(["type", zone, str(TYPES.index(name))] + counts.split()))
        order = event % 11
        lines.add(f"list {zone} {order} {TYPES.index(name)} {counts.split()[order]}")
    return lines


def legends(proc):
    """What the map's legends count, where /proc has it; thousands parted by commas"""
    lines = set()
    free = [list(map(int, counts)) for counts in buddy(proc["buddyinfo"]).values()]
    orders = [sum(zone[order] for zone in free) << order for order in range(11)]
    lines.add(f"legend state|free|{sum(orders):,}")
    lines.add(f"legend cache|free|{sum(orders):,}")
    lines |= {f"legend order|free, order {order}|{pages:,}" for order, pages in enumerate(orders) if pages}
    lists = re.findall(r"\n +count: +(\d+)\n", proc["zoneinfo"])
    lines.add(f"legend state|per-CPU list|{sum(map(int, lists)):,}")
    pages = {}
    for line in proc["slabinfo"].splitlines()[2:]:
        w = line.split()
        pages[w[0]] = int(w[5]) * int(w[14])
    lines.add(f"legend state|slab|{sum(pages.values()):,}")
    return lines | {f"legend cache|{name}|{count:,}" for name, count in pages.items()}


def told(drawn):
    """Without the lines of legends that /proc has no figure for"""
    return {line for line in drawn if not line.startswith("legend") or
            re.match(r"legend (state\|(free|slab|per-CPU list)|order\|free|cache\|(?!all others|no slab|not RAM))", line)}


def alive(recording, process, at):
    """{event: line}: allocations that no event up to this one ended, and what was asked for"""
    rows = sql(recording, f"""WITH ended AS MATERIALIZED
            (SELECT ref, min(id) AS id FROM events WHERE ref AND process = {process} GROUP BY ref)
        SELECT a.id, a.req, ifnull((SELECT e.id FROM ended e WHERE e.ref = a.id), 1 << 60)
        FROM events a WHERE a.process = {process} AND NOT a.flags & {OPF_FAILED} AND a.addr AND a.path != 'file'
        AND a.kind IN ('malloc', 'calloc', 'realloc', 'memalign', 'mmap', 'mremap')
        AND (a.path != 'host' OR a.reason NOT IN ('PROT_NONE', 'MAP_NORESERVE'))""")
    blocks = [tuple(map(int, row)) for row in rows]
    lines = {}
    for event in at:
        live = [req for born, req, end in blocks if born <= event < end]
        lines[event] = f"alive {len(live)} {sum(live)}"
    return lines


def whole(recording, process):
    """What is the same at every event: the tree of processes, the program's marks"""
    lines = {"process " + " ".join(row) for row in
             sql(recording, "SELECT process, parent, how, pid, events FROM process")}
    return lines | {"mark " + " ".join(row) for row in
                    sql(recording, f"""SELECT e.id, m.t_ns, text FROM events e
                        JOIN mark m ON m.event = e.id WHERE e.kind = 'mark' AND e.process = {process}""")}


def said(recording, process, at):
    """{event: set of lines}, from one replay"""
    moments = [word for event in at for word in ("--at", str(event))]
    text = run(kalloscope, "proc", "-p", process, *moments, "buddyinfo,pagetypeinfo,zoneinfo,slabinfo,vmallocinfo", recording)
    proc = {}
    for name, event, body in re.findall(r"^==> (\w+) at #(\d+) <==\n(.*?)(?=^==> |\Z)", text, re.S | re.M):
        proc.setdefault(int(event), {})[name] = body.rstrip("\n") + "\n"
    live = windows(recording, process, at)
    blocks, same = alive(recording, process, at), whole(recording, process)
    return {event: zones(p["zoneinfo"], buddy(p["buddyinfo"])) | types(p["pagetypeinfo"], event) |
            caches(p["slabinfo"]) | legends(p) | areas(p["vmallocinfo"]) | {f"pkmap {live[event]}", blocks[event]} | same
            for event, p in proc.items()}


def compare(name, events, *command):
    recording = name + ".kalloscope"
    subprocess.run([kalloscope, "record", "-q", "-o", recording, "--", *command], check=True,
                   stdout=subprocess.DEVNULL)
    process, first, last = sql(recording, "SELECT process, first_event, last_event FROM process ORDER BY events DESC LIMIT 1")[0]
    at = sorted(random.sample(range(int(first), int(last) + 1), events))
    drawn, printed = model(recording, process, at), said(recording, process, at)
    for event in at:
        drawn[event] = told(drawn[event])
        named = {line for line in printed[event] if line.startswith("legend cache") and line not in drawn[event] and
                 not any(d.startswith(line.rsplit("|", 1)[0] + "|") for d in drawn[event])}  # the largest caches have a colour
        printed[event] -= named
        if drawn[event] != printed[event]:
            print(f"# {name}, event {event}: the model has {sorted(drawn[event] - printed[event])[:4]},"
                  f" proc and SQL {sorted(printed[event] - drawn[event])[:4]}")
            return False, 0, 0
    return len(drawn) == len(printed) == len(at), len(drawn), sum(map(len, drawn.values()))


seed = random.randrange(1 << 32)
random.seed(seed)
print(f"# seed {seed}")
failed = False
with tempfile.TemporaryDirectory(prefix="kalloscope-figures.") as folder:
    os.chdir(folder)
    with open("small.c", "w") as f:
        f.write("#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n")
    with open("marks.c", "w") as f:
        f.write(MARKS)
    subprocess.run(["gcc", "-I", TOP + "/preload", "-o", "marks", "marks.c"], check=True)
    cases = {"python": (20, "python3", "-c", PYTHON), "gcc": (10, "gcc", "-c", "small.c"),
             "marks": (5, "./marks")}
    for n, (name, (usual, *command)) in enumerate(cases.items(), 1):
        ok, compared, figures = compare(name, events or usual, *command)
        failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {name}: {figures} lines of figures at {compared} events")
print(f"1..{len(cases)}")
sys.exit(failed)
