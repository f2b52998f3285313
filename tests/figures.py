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


def said(recording, process, at):
    """{event: set of lines}, from one replay"""
    moments = [word for event in at for word in ("--at", str(event))]
    text = run(kalloscope, "proc", "-p", process, *moments, "buddyinfo,zoneinfo,slabinfo,vmallocinfo", recording)
    proc = {}
    for name, event, body in re.findall(r"^==> (\w+) at #(\d+) <==\n(.*?)(?=^==> |\Z)", text, re.S | re.M):
        proc.setdefault(int(event), {})[name] = body.rstrip("\n") + "\n"
    live = windows(recording, process, at)
    return {event: zones(p["zoneinfo"], buddy(p["buddyinfo"])) | caches(p["slabinfo"]) |
            areas(p["vmallocinfo"]) | {f"pkmap {live[event]}"} for event, p in proc.items()}


def compare(name, events, *command):
    recording = name + ".kalloscope"
    subprocess.run([kalloscope, "record", "-q", "-o", recording, "--", *command], check=True,
                   stdout=subprocess.DEVNULL)
    process, first, last = sql(recording, "SELECT process, first_event, last_event FROM process ORDER BY events DESC LIMIT 1")[0]
    at = sorted(random.sample(range(int(first), int(last) + 1), events))
    drawn, printed = model(recording, process, at), said(recording, process, at)
    for event in at:
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
    cases = {"python": (20, "python3", "-c", PYTHON), "gcc": (10, "gcc", "-c", "small.c")}
    for n, (name, (usual, *command)) in enumerate(cases.items(), 1):
        ok, compared, figures = compare(name, events or usual, *command)
        failed |= not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {name}: {figures} lines of figures at {compared} events")
print(f"1..{len(cases)}")
sys.exit(failed)
