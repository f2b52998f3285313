# Measures the program native, under heaptrack, served by the machine alone and recorded, in turns,
# and writes medians and their ratios into RESULTS.md beside it: between the marks of a section, so
# that what stands around them stays. Nothing else should run on the machine meanwhile.
#
#   measure.py BUILD [--runs N] [--quick] [--only SECTION[:CASE]]... [--no-write] [--list]
#
# --quick: fewer runs of smaller work. Every case alone takes less than two minutes.
import argparse
import datetime
import math
import os
import platform
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--runs", type=int)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--only", action="append", default=[], metavar="SECTION[:CASE]")
parser.add_argument("--no-write", action="store_true")
parser.add_argument("--list", action="store_true")
args = parser.parse_args()
build = os.path.abspath(args.build)
runs = args.runs or (3 if args.quick else 5)
part = 0.3 if args.quick else 1
kalloscope = os.path.join(build, "kalloscope")
churn = os.path.join(build, "tests/programs/churn")
allocators = os.path.join(build, "tests/allocators")
folder = tempfile.mkdtemp(prefix="kalloscope-bench.")
recording = os.path.join(folder, "r.kalloscope")
record = [kalloscope, "record", "-q", "--force", "-o", recording, "--"]
run = [kalloscope, "run", "--"]

JSON = """import json
data = [{"id": i, "name": "item %%d" %% i, "tags": ["a%%d" %% (i %% 7), "b"], "value": i / 3.0} for i in range(%d)]
for _ in range(3):
    text = json.dumps(data)
    assert json.loads(text) == data
"""
HASH = """my %%h; my $n = 0;
for my $i (1 .. %d) {
	my $k = "key" . ($i * 7919 %% 200003);
	$h{$k} .= "x$i"; delete $h{$k} if $i %% 3 == 0; $n += length($k);
}
my @s = sort keys %%h; print scalar(@s), " $n\\n";
"""
UNIT = """
struct node%(i)d { struct node%(i)d *next; int key, value[%(a)d]; double weight; char name[%(b)d]; };
static int compare%(i)d(const void *a, const void *b)
{ const struct node%(i)d *x = a, *y = b; return x->key < y->key ? -1 : x->key > y->key; }
int work%(i)d(struct node%(i)d *list, int n)
{
	int sum = 0;
	for (struct node%(i)d *p = list; p; p = p->next) {
		for (int k = 0; k < %(a)d; k++)
			if (p->value[k] > n * %(i)d) sum += p->value[k] ^ (p->key << (k & 7));
			else sum -= (int)(p->weight * k);
		switch (p->key & 7) {
		case 0: sum += strlen(p->name); break;
		case 1: sum ^= p->key * %(c)d; break;
		case 2: p->weight = sqrt(p->weight + %(i)d); break;
		case 3: snprintf(p->name, sizeof(p->name), "%%d", sum); break;
		default: sum = sum * 31 + n;
		}
	}
	qsort(list, n > 0 ? 1 : 0, sizeof(*list), compare%(i)d);
	return sum;
}
"""


def write(name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def program(name):
    """A workload's command, its files made."""
    if name == "python":
        return ["/usr/bin/python3", write("work_json.py", JSON % (20000 * part))]
    if name == "perl":
        return ["perl", write("hash.pl", HASH % (600000 * part))]
    if name == "cc1":
        includes = "".join("#include <%s.h>\n" % h for h in ("stdio", "stdlib", "string", "math", "pthread"))
        unit = write("unit.c", includes + "".join(
            UNIT % {"i": i, "a": i % 13 + 3, "b": i % 29 + 8, "c": i * 31 + 7} for i in range(int(210 * part))))
        subprocess.run(["gcc", "-E", unit, "-o", unit + ".i"], check=True)
        cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True, check=True).stdout.strip()
        return [cc1, "-quiet", "-O2", unit + ".i", "-o", "/dev/null"]
    threads = int(name[-1])
    return [churn, "20", str(int(3000000 * part) // threads), str(threads)]


def heaptrack():
    """heaptrack's script looks for its viewer beside itself and opens it; a copy elsewhere finds none."""
    path = shutil.which("heaptrack")
    if not path:
        return None
    top = os.path.join(folder, "heaptrack")
    if not os.path.isdir(top):
        os.makedirs(os.path.join(top, "bin"))
        shutil.copy(path, os.path.join(top, "bin"))
        os.makedirs(os.path.join(top, "lib"))
        os.symlink("/usr/lib/heaptrack", os.path.join(top, "lib/heaptrack"))
    return os.path.join(top, "bin/heaptrack")


env = dict(os.environ, PYTHONMALLOC="malloc", CHURN_TIME="1", LC_ALL="C.UTF-8")


def command(cmd, **more):
    done = subprocess.run(cmd, env=env, cwd=folder, capture_output=True, text=True, check=False, **more)
    if done.returncode:
        sys.exit(f"{' '.join(cmd)}: status {done.returncode}: {done.stderr[-300:]}")
    return done


def seconds(cmd):
    start = time.monotonic()
    done = command(cmd)
    return time.monotonic() - start, done


def in_turns(variants):
    """[(name, function)] -> {name: median}; a function returns one figure, or several by name."""
    figures = {}
    for _ in range(runs):
        for name, fn in variants:
            got = fn()
            for key, value in (got if isinstance(got, dict) else {name: got}).items():
                figures.setdefault(key, []).append(value)
    return {name: statistics.median(v) for name, v in figures.items()}


# --- results: sections of RESULTS.md

results = os.path.join(here, "RESULTS.md")


def rows_of(text, first):
    return [m.span() for m in re.finditer(r"^\| %s \|.*$" % re.escape(first), text, re.M)]


def merge(old, new, cases):
    """The old text with the rows of these cases from the new one; None where it has none of them."""
    for case in cases:
        was, now = rows_of(old, case), rows_of(new, case)
        if len(was) != len(now):
            return None
        for (a, b), (c, d) in reversed(list(zip(was, now))):
            old = old[:a] + new[c:d] + old[b:]
    return old


def store(section, text, cases):
    """cases: those measured, when that is not all of them; the section keeps the rows of the others."""
    print(text, flush=True)
    if args.no_write:
        return
    stamp = (f"{datetime.date.today()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release().split('-')[0]}; "
             f"medians of {runs} runs in turns{', small work' if args.quick else ''}.")
    begin, end = f"<!-- measured: {section} -->", "<!-- end -->"
    whole = open(results, encoding="utf-8").read() if os.path.exists(results) else "# Benchmark results\n"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    found = pattern.search(whole)
    if cases is not None:
        text = merge(found.group(0).split("\n\n", 1)[1][:-len(end)], text, cases) if found else None
        if text is None:
            return
    body = f"{begin}\n{stamp}\n\n{text.rstrip()}\n{end}"
    if found:
        whole = pattern.sub(lambda m: body, whole, count=1)
    else:
        whole = whole.rstrip() + f"\n\n## {section[0].upper() + section[1:]}\n\n{body}\n"
    with open(results, "w", encoding="utf-8") as f:
        f.write(whole)


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def ratio(a, b):
    return "%.2f" % (a / b) if b else "-"


# --- sections: each takes the cases wanted (None: all)

CAPTURE = ["5x1", "20x1", "60x1", "20x2", "20x4"]


def pair_ns(prefix, frames, threads):
    done = command(prefix + [churn, str(frames), str(int(2000000 * part)), str(threads)])
    return float([line for line in done.stderr.splitlines() if re.fullmatch(r"\d+\.\d", line)][0])


def capture(cases):
    """Nanoseconds of a malloc+free pair while the program runs, by its own clock."""
    rows = []
    for case in cases:
        frames, threads = map(int, case.split("x"))
        variants = [("native", []), ("run", run), ("ours", record)]
        if heaptrack():
            variants.insert(2, ("heaptrack", [heaptrack(), "-r", "-o", os.path.join(folder, "raw")]))
        m = in_turns([(n, lambda p=p: pair_ns(p, frames, threads)) for n, p in variants])
        ours, theirs = m["ours"] - m["native"], m.get("heaptrack", math.nan) - m["native"]
        rows.append((case, "%.0f" % m["native"], "%.0f" % m["run"], "%.0f" % theirs, "%.0f" % ours,
                     ratio(ours, theirs)))
    return ("Cost of a malloc+free pair while the program runs (its own clock). heaptrack records the stack of "
            "malloc only; kalloscope records stacks of both.\n\n" +
            table(("frames x threads", "native ns", "`run` ns", "heaptrack adds ns", "kalloscope adds ns", "ratio"), rows))


PROGRAMS = ["python", "perl", "cc1", "churn1", "churn2"]
TIMED = ["bash", "-c", 'TIMEFORMAT=%R; time "$@" >/dev/null', "-"]


def until_exit(prefix, cmd):
    """Seconds until the program has ended, and until everything has."""
    total, done = seconds(prefix + TIMED + cmd)
    return float(done.stderr.strip().splitlines()[-1]), total


def ask(sql):
    db = sqlite3.connect(recording)
    try:
        return db.execute(sql).fetchone()[0]
    finally:
        db.close()


def programs(cases):
    rows, sizes = [], []
    for case in cases:
        cmd = program(case)

        def native():
            return until_exit([], cmd)[0]

        def served():
            return until_exit(run, cmd)[0]

        def recorded():
            one, all_of_it = until_exit(record, cmd)
            return {"capture": one, "end": all_of_it, "finish": float(ask("SELECT value FROM meta WHERE key = 'finish_ns'")) / 1e9}

        def theirs(raw):
            words = [heaptrack()] + (["-r"] if raw else []) + ["-o", os.path.join(folder, "heap")]
            return seconds(words + cmd)[0]

        variants = [("native", native), ("run", served), ("recorded", recorded)]
        if heaptrack():
            variants += [("raw", lambda: theirs(True)), ("theirs", lambda: theirs(False))]
        m = in_turns(variants)
        verified = subprocess.run([kalloscope, "verify", recording], capture_output=True, text=True, check=False)
        events, lost = ask("SELECT count(*) FROM event_row"), ask("SELECT sum(lost) FROM process")
        rows.append((case, "%.2f" % m["native"], ratio(m["run"], m["native"]), ratio(m["capture"], m["native"]),
                     "%.2f" % m["end"], "%.2f" % m.get("raw", math.nan), "%.2f" % m.get("theirs", math.nan),
                     ratio(m["end"], m.get("theirs", 0)), "%.2f" % m["finish"]))
        pages = ask("SELECT ifnull(sum(t.count << c.\"order\"), 0) FROM transition t JOIN transition_context c"
                    " USING (context) JOIN kind_name k USING (kind) WHERE k.name IN ('mm_page_alloc', 'mm_page_free')")
        size = os.path.getsize(recording)
        sizes.append((case, f"{events:,}", f"{pages:,}", "%.1f" % (size / events),
                      "%.2f" % (size / (32 * events + 2 * pages)), lost,
                      "passes" if not verified.returncode else "FAILS"))
    return ("Seconds; `run` and capture are times until the program has ended, by native; finish is the part of "
            "the end to end time behind the last record.\n\n" +
            table(("program", "native", "`run`", "capture", "end to end", "heaptrack raw", "heaptrack end to end", "ratio",
                   "finish"), rows) +
            "\nSize of the recordings; allowed are 32 bytes an event and 2 a simulated page moved.\n\n" +
            table(("program", "events", "pages moved", "bytes an event", "of what is allowed", "lost", "verify"), sizes))


def inserter_of(pid):
    """The inserter is the child that gives way to all others: nice, or of the idle policy (5)."""
    for entry in os.listdir("/proc"):
        try:
            stat = open(f"/proc/{entry}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        gives_way = int(stat[16]) > 0 or int(stat[38]) == 5
        if int(stat[1]) == pid and gives_way and os.readlink(f"/proc/{entry}/exe") == kalloscope:
            return int(entry)
    return None


def spool_left(cmd):
    """Records cmd with nobody inserting: everything is in the spool when it ends."""
    words = subprocess.Popen(record + cmd, env=env, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    inserter = None
    while not inserter and words.poll() is None:
        inserter = inserter_of(words.pid)
    if not inserter:
        sys.exit(f"probe: {cmd[0]} ended before its inserter was found; it needs more work")
    words.send_signal(signal.SIGKILL)  # or it would start another one
    os.kill(inserter, signal.SIGKILL)
    words.wait()
    spool = recording + ".spool/spool"
    size, same = -1, 0
    while same < 10:
        time.sleep(0.1)
        same = same + 1 if os.path.getsize(spool) == size else 0
        size = os.path.getsize(spool)


def probe(cases):
    rows = []
    for case in cases:
        cmd = program(case)

        def recover():
            spool_left(cmd)
            return seconds([kalloscope, "recover", recording])[0]

        def limit(way):
            words = command([os.path.join(build, "tests/sqlite_probe"), recording, f"{recording}.{way}", way]).stdout.split()
            os.unlink(f"{recording}.{way}")
            return {"rows": int(words[0]), way: float(words[1])}

        ways = ("bind", "table", "copy")
        m = in_turns([("recover", recover)] + [(way, lambda way=way: limit(way)) for way in ways])
        n = m["rows"]
        rows.append((case, f"{n:,.0f}", *("%.2f" % (n / m[way] / 1e6) for way in ways), "%.2f" % (n / m["recover"] / 1e6),
                     ratio(m["table"], m["recover"]), ratio(m["copy"], m["recover"])))
    return ("Millions of rows a second: SQLite inserting the finished rows (tests/bench/sqlite_probe.c: same schema and "
            "settings, one thread) from numbers bound to a statement, from numbers behind a virtual table, and from tables in "
            "memory, whose records it copies; and the recorder from a whole spool to the finished, symbolised file, beside "
            "the last two.\n\n" +
            table(("program", "rows", "bound", "virtual table", "copied", "recorder", "of virtual table", "of copied"), rows))


ALLOCATORS = ["larson", "cross-thread", "xmalloc", "cache-scratch", "cache-thrash", "mixed", "grow-small", "grow-large",
              "sh6", "sh8", "alloc-test", "trees"]


def allocator(cases):
    rows, ratios = [], []
    for case in cases:
        def one(prefix, name):
            words = command(prefix + [allocators, case, str(int(400 * part))]).stdout.split()
            return {name: float(words[1]), name + " rss": int(words[2])}

        m = in_turns([("glibc", lambda: one([], "glibc")), ("run", lambda: one(run, "run"))])
        ratios.append(m["run"] / m["glibc"])
        rows.append((case, "%.3f" % m["glibc"], "%.3f" % m["run"], "%.2f" % ratios[-1],
                     "%.1f" % (m["glibc rss"] / 1024), "%.1f" % (m["run rss"] / 1024)))
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
    return ("The machine without a recorder (`kalloscope run`) beside glibc's malloc, tests/bench/allocators.c.\n\n" +
            table(("case", "glibc s", "`run` s", "ratio", "glibc MiB", "`run` MiB"), rows) +
            f"\nGeometric mean of the ratios: {mean:.2f}; worst {max(ratios):.2f}.\n")


def peak_kib(cmd):
    """Resident memory at its peak of cmd, which must not start others."""
    pid = os.posix_spawn(cmd[0], cmd, env, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    return os.wait4(pid, 0)[2].ru_maxrss


def rss(cases):
    rows = []
    for case in cases:
        cmd = program(case)
        cmd[0] = shutil.which(cmd[0])
        glibc, ours = peak_kib(cmd), peak_kib(run + cmd)
        rows.append((case, "%.1f" % (glibc / 1024), "%.1f" % (ours / 1024), ratio(ours, 1.3 * glibc + 6 * 1024)))
    return ("Peak resident memory in MiB under `kalloscope run`; allowed are 1.3 times glibc's and 6 MiB.\n\n" +
            table(("program", "glibc", "`run`", "of what is allowed"), rows))


def memory(cases):
    pairs = int(25000000 * (0.2 if args.quick else 1))
    start = time.monotonic()
    words = record + [churn, "20", str(pairs), "1"]
    peak = peak_kib(words) / 1024
    took = time.monotonic() - start
    verified = subprocess.run([kalloscope, "verify", recording], capture_output=True, text=True, check=False).returncode
    return (f"Peak of the recorder's processes while {2 * pairs:,} events are recorded (churn, 64 live blocks): "
            f"{peak:.0f} MiB; {took:.0f} s to the finished file of {os.path.getsize(recording) / 2 / pairs:.1f} bytes an event; "
            f"verify {'passes' if not verified else 'FAILS'}.\n")


def core(cases):
    done = command([os.path.join(build, "tests/core_bench")])
    return ("The machine alone, one CPU, no recording (tests/bench/core_bench.c).\n\n```\n" + done.stdout + "```\n")


SECTIONS = {
    "capture": (capture, CAPTURE),
    "programs": (programs, PROGRAMS),
    "probe": (probe, ["python", "churn1"]),
    "allocator": (allocator, ALLOCATORS),
    "rss": (rss, ["python", "perl", "cc1"]),
    "memory": (memory, [None]),
    "core": (core, [None]),
}

try:
    for name, (fn, all_cases) in SECTIONS.items():
        chosen = [o.partition(":")[2] for o in args.only if o.partition(":")[0] == name]
        if args.only and not chosen:
            continue
        wanted = [c for c in all_cases if not chosen or "" in chosen or c in chosen]
        if args.list:
            print(name, *(c for c in wanted if c))
        elif wanted:
            text = fn(wanted)
            store(name, text, None if wanted == all_cases else wanted)
finally:
    shutil.rmtree(folder, ignore_errors=True)
