#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""The numbers of the viewer's models equal `kalloscope proc` and SQL at the same events.

    tests/figures.py BUILD [EVENTS]     TAP on stdout; random events of a recording of python
"""
import os
import random
import re
import subprocess
import sys
import tempfile

build = os.path.abspath(sys.argv[1])
events = int(sys.argv[2]) if len(sys.argv) > 2 else 50
kalloscope = build + "/kalloscope"
PYTHON = """import json, mmap
windows = [mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(30)]
areas = [mmap.mmap(-1, 65536, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(20)]
print(len(json.dumps({str(i): [i] * 9 for i in range(2000)})))
del windows[::2], areas[::3]
print(len(json.dumps({str(i): [i] * 9 for i in range(2000)})))"""


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
    return {"area " + line.split()[0] for line in text.splitlines()}


def windows(recording, process, event):
    """One-page mappings that live at the event, each a window of its own."""
    return {"pkmap " + sql(recording, f"""SELECT count(*) FROM events a WHERE a.process = {process} AND a.id <= {event}
        AND a.kind = 'mmap' AND a.path = 'kmap' AND NOT EXISTS
        (SELECT 1 FROM events f WHERE f.ref = a.id AND f.id <= {event} AND f.kind = 'munmap')""")[0][0]}


def said(recording, process, event):
    proc = {f: run(kalloscope, "proc", "-p", process, "--at", str(event), f, recording)
            for f in ("buddyinfo", "zoneinfo", "slabinfo", "vmallocinfo")}
    return (zones(proc["zoneinfo"], buddy(proc["buddyinfo"])) | caches(proc["slabinfo"]) |
            areas(proc["vmallocinfo"]) | windows(recording, process, event))


def compare(name, *command):
    recording = name + ".kalloscope"
    subprocess.run([kalloscope, "record", "-q", "-o", recording, "--", *command], check=True,
                   stdout=subprocess.DEVNULL)
    process, first, last = sql(recording, "SELECT process, first_event, last_event FROM process ORDER BY events DESC LIMIT 1")[0]
    at = sorted(random.sample(range(int(first), int(last) + 1), events))
    drawn = model(recording, process, at)
    for event in drawn:
        printed = said(recording, process, event)
        if drawn[event] != printed:
            print(f"# {name}, event {event}: the model has {sorted(drawn[event] - printed)[:4]},"
                  f" proc and SQL {sorted(printed - drawn[event])[:4]}")
            return False, 0, 0
    return len(drawn) == len(at), len(drawn), sum(map(len, drawn.values()))


seed = random.randrange(1 << 32)
random.seed(seed)
print(f"# seed {seed}")
failed = False
with tempfile.TemporaryDirectory(prefix="kalloscope-figures.") as folder:
    os.chdir(folder)
    cases = {"python": ["python3", "-c", PYTHON]}
    for n, (name, command) in enumerate(cases.items(), 1):
        ok, compared, figures = compare(name, *command)
        failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {name}: {figures} lines of figures at {compared} events")
print(f"1..{len(cases)}")
sys.exit(failed)
