#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# Reads an export as its consumer would, by the format's published rules, and holds its numbers
# against what tests/programs/known.c does: ten malloc of 100 bytes in make_node (one stays), a
# table of 4000 bytes grown to 200000, one page and 10 MiB mapped; 14 allocations.
#   export_check.py FORMAT FILE
import csv
import gzip
import json
import re
import sys
import xml.dom.minidom

MIB10 = 10 << 20
PEAK = MIB10 + 100
BYTES = 1000 + 4000 + 200000 + 4096 + MIB10


def folded(name):
    stacks = {}
    for line in open(name, encoding="utf-8"):
        frames, value = line.rstrip("\n").rsplit(" ", 1)
        assert frames and not re.search("[\0-\x1f]", frames), line
        stacks[frames] = stacks.get(frames, 0) + int(value)
    assert sum(stacks.values()) == PEAK, stacks
    assert [v for k, v in stacks.items() if k.endswith(";build;make_node")] == [100], stacks


def speedscope(name):
    d = json.load(open(name, encoding="utf-8"))
    assert d["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = d["shared"]["frames"]
    assert all(isinstance(f["name"], str) for f in frames)
    profiles = {p["name"]: p for p in d["profiles"]}
    assert 0 <= d["activeProfileIndex"] < len(d["profiles"])
    for p in d["profiles"]:
        assert p["type"] == "sampled" and p["unit"] in ("none", "bytes")
        assert len(p["samples"]) == len(p["weights"])
        assert p["startValue"] == 0 and p["endValue"] == sum(p["weights"])
        assert all(0 <= i < len(frames) for s in p["samples"] for i in s)
    assert profiles["bytes alive at the peak"]["endValue"] == PEAK
    assert profiles["bytes asked for"]["endValue"] == BYTES
    assert profiles["allocations"]["endValue"] == 14
    assert profiles["bytes not given back"]["endValue"] == 100
    nodes = [w for s, w in zip(profiles["allocations"]["samples"], profiles["allocations"]["weights"])
             if frames[s[-1]]["name"] == "make_node" and frames[s[-2]]["name"] == "build"]
    assert nodes == [10], nodes


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data):
    """A protobuf message as (field number, value), packed or not left to the caller."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            assert key & 7 == 2, key
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size
        yield key >> 3, value


def numbers(value):
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        n, at = varint(value, at)
        out.append(n)
    return out


# Field numbers of perftools.profiles.Profile as pprof publishes them.
def pprof(name):
    message = {}
    for field, value in fields(gzip.open(name).read()):
        message.setdefault(field, []).append(value)
    text = [t.decode("utf-8") for t in message[6]]
    assert text[0] == ""
    types = [text[dict(fields(t))[1]] for t in message[1]]
    function = {dict(fields(f))[1]: text[dict(fields(f))[2]] for f in message[5]}
    location = {}
    for raw in message[4]:
        f = dict(fields(raw))
        location[f[1]] = function[dict(fields(f[4]))[1]]
    mappings = {dict(fields(m))[1] for m in message.get(3, [])}
    assert all(dict(fields(raw)).get(2, 0) in mappings | {0} for raw in message[4])
    total = dict.fromkeys(types, 0)
    nodes = None
    for raw in message[2]:
        ids, values = [], []
        for field, value in fields(raw):
            (ids if field == 1 else values).extend(numbers(value))
        assert len(values) == len(types)
        for t, v in zip(types, values):
            total[t] += v
        if location[ids[0]] == "make_node":
            nodes = dict(zip(types, values))
    assert total["peak_space"] == PEAK and total["alloc_space"] == BYTES, total
    assert total["alloc_objects"] == 14 and total["inuse_space"] == 100, total
    assert nodes["alloc_objects"] == 10 and nodes["alloc_space"] == 1000, nodes
    assert text[message[14][0]] == "peak_space"


def massif(name):
    peak, times = None, []
    lines = open(name, encoding="utf-8").read().split("\n")
    assert lines[0].startswith("desc: ") and lines[1].startswith("cmd: ") and lines[2] == "time_unit: ms"
    for i, line in enumerate(lines):
        if line.startswith("time="):
            times.append(int(line[5:]))
        if line == "heap_tree=peak":
            peak = int(lines[i - 3].split("=")[1])
            assert lines[i + 1].startswith("n2: %d (heap" % PEAK), lines[i + 1]
            assert lines[i + 2] == " n0: %d 0x0: main" % MIB10, lines[i + 2]
    assert peak == PEAK and times == sorted(times)


# By the published Trace Event Format: of each phase we use, the members an event must have and those it may
# have besides. Nothing that reads it (Perfetto, catapult) is packaged for Debian.
COMMON = {"ph", "pid", "ts", "name"}
PHASES = {
    "M": (COMMON | {"args"}, {"tid"}),               # metadata
    "C": (COMMON | {"args"}, set()),                 # counter
    "i": (COMMON | {"s"}, {"tid", "cat", "args"}),   # instant
    "b": (COMMON | {"cat", "id"}, {"tid", "args"}),  # an asynchronous slice begins
    "e": (COMMON | {"cat", "id"}, {"tid", "args"}),  # and ends
}


def trace_events(d):
    assert set(d) <= {"traceEvents", "displayTimeUnit", "otherData"} and d["displayTimeUnit"] in ("ms", "ns"), d.keys()
    last = {}
    for e in d["traceEvents"]:
        must, may = PHASES[e["ph"]]
        assert must <= set(e) <= must | may, e
        assert isinstance(e["name"], str) and type(e["ts"]) in (int, float) and e["ts"] >= 0, e
        assert all(type(e[k]) is int and e[k] >= 0 for k in ("pid", "tid") if k in e), e
        assert isinstance(e.get("args", {}), dict) and isinstance(e.get("cat", ""), str), e
        if e["ph"] == "M":
            assert e["name"] in ("process_name", "thread_name") and isinstance(e["args"]["name"], str), e
            assert e["name"] == "process_name" or "tid" in e, e
        if e["ph"] == "C":
            assert e["args"] and all(type(v) in (int, float) for v in e["args"].values()), e
            assert last.get(e["name"], 0) <= e["ts"], e
            last[e["name"]] = e["ts"]
        if e["ph"] == "i":
            assert e["s"] in "gpt" and (e["s"] != "t" or "tid" in e), e
        if e["ph"] in "be":
            assert e["cat"] and re.fullmatch("0x[0-9a-f]+", e["id"]), e
    assert {"DMA used", "Normal used", "HighMem used", "alive"} <= set(last), last


def perfetto(name):
    d = json.load(open(name, encoding="utf-8"))
    trace_events(d)
    open_slices, lives, alive = {}, [], 0
    for e in d["traceEvents"]:
        if e["ph"] == "C" and e["name"] == "alive":
            alive = max(alive, e["args"]["bytes"])
        if e["ph"] == "b":
            open_slices[e["cat"], e["id"]] = e
        if e["ph"] == "e":
            b = open_slices.pop((e["cat"], e["id"]))
            assert b["ts"] <= e["ts"] and b["name"] == e["name"]
            lives.append((b["name"], b["args"]["bytes"], e["args"]["given_back"]))
    assert not open_slices and alive == PEAK, alive
    assert lives.count(("make_node", 100, True)) == 9 and lives.count(("make_node", 100, False)) == 1
    assert lives[0] == ("main", MIB10, True) and len(lives) == 14, lives


def csv_(name):
    rows = list(csv.DictReader(open(name, newline="", encoding="utf-8")))
    nodes = [r for r in rows if r["kind"] == "malloc" and r["function"] == "make_node"]
    assert len(nodes) == 10 and sum(int(r["req"]) for r in nodes) == 1000
    assert {r["alloc"] for r in nodes} == {"128"} and {r["file"] for r in nodes} == {"known.c"}
    assert [int(r["id"]) for r in rows] == list(range(1, len(rows) + 1))


def openmetrics(name):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as new
    from prometheus_client.parser import text_string_to_metric_families as old
    text = open(name, encoding="utf-8").read()
    for parse in (new, old):
        samples = {(s.name, tuple(sorted(s.labels.items()))): s.value
                   for f in parse(text) for s in f.samples}
        assert samples["kalloscope_run_allocations", ()] == 14
        assert samples["kalloscope_run_peak_bytes", ()] == PEAK
        free = sum(v * 2 ** int(dict(k[1])["order"]) for k, v in samples.items()
                   if k[0] == "kalloscope_buddy_free_blocks" and dict(k[1])["zone"] == "DMA")
        assert free == samples["kalloscope_zone_free_pages", (("zone", "DMA"),)], free


def svg(name):
    d = xml.dom.minidom.parse(name)
    boxes = {g.getAttribute("data-n"): float(g.getAttribute("data-w"))
             for g in d.getElementsByTagName("g") if g.getAttribute("class") == "f"}
    assert abs(boxes["main"] - 1180) < 0.01, boxes
    nodes = [float(b) for n, b in boxes.items() if n == "make_node"]
    # at the peak make_node is too small to be drawn; the title tells the sum
    assert nodes == [] and "10.0 MiB" in open(name, encoding="utf-8").read()


def ftrace(name):
    lines = open(name, encoding="utf-8").read().split("\n")
    written = int(re.search(r"entries-in-buffer/entries-written: \d+/(\d+)", "\n".join(lines[:12])).group(1))
    form = re.compile(r"^ *\S.*-\d+ +\[\d{3}\] \S{4} +\d+\.\d{6}: (\w+): (.*)$")
    events = [form.match(line) for line in lines if line and line[0] != "#"]
    assert all(events) and len(events) == written, (len(events), written)
    nodes = [e for e in events if e.group(1) == "kmalloc" and "bytes_req=100 bytes_alloc=128" in e.group(2)]
    assert len(nodes) == 10, len(nodes)


def valid(name):
    """Of any export: UTF-8 without control characters, and JSON where it says so (trace events by their rules)."""
    data = open(name, "rb").read()
    if data[:2] == b"\x1f\x8b":
        assert b"make" in gzip.decompress(data)
        return
    text = data.decode("utf-8", "strict")
    assert not re.search("[\0-\x08\x0b\x0c\x0e-\x1f]", text)
    if text.startswith("{"):
        d = json.loads(text)
        if "traceEvents" in d:
            trace_events(d)
    if text.startswith("<?xml"):
        xml.dom.minidom.parseString(data)


{"folded": folded, "speedscope": speedscope, "pprof": pprof, "massif": massif, "perfetto": perfetto,
 "csv": csv_, "openmetrics": openmetrics, "svg": svg, "ftrace": ftrace, "valid": valid}[sys.argv[1]](sys.argv[2])
