# Measures a program native, under heaptrack's raw capture, and recorded, in turns, and prints the
# medians and their ratios. Nothing else may run on the machine meanwhile.
#
#   measure.py BUILD [--runs N] [--no-write]
#
# Times are of the program itself (churn prints nanoseconds per pair from its own clock), so start
# and finish of the recorders do not count: this is capture, not end to end.
import argparse
import datetime
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
parser = argparse.ArgumentParser()
parser.add_argument("build")
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--no-write", action="store_true")
args = parser.parse_args()
churn = os.path.join(args.build, "tests/programs/churn")
kalloscope = os.path.join(args.build, "kalloscope")


def churn_ns(prefix, frames, pairs, threads, folder):
    """Nanoseconds per pair (and thread) as churn reports them on its last line of stderr."""
    env = dict(os.environ, CHURN_TIME="1")
    command = prefix + [churn, str(frames), str(pairs), str(threads)]
    done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True)
    lines = [l for l in (done.stderr + done.stdout).splitlines() if l.replace(".", "", 1).isdigit() and "." in l]
    return float(lines[0])


def variants(folder):
    yield "native", []
    if shutil.which("heaptrack"):
        yield "heaptrack capture", ["heaptrack", "-r", "-o", os.path.join(folder, "heaptrack")]
    yield "kalloscope capture", [kalloscope, "record", "-q", "--force", "-o", os.path.join(folder, "r.kalloscope"), "--"]


def measure(frames, pairs, threads):
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.runs):
            for name, prefix in variants(folder):
                figures.setdefault(name, []).append(churn_ns(prefix, frames, pairs, threads, folder))
    return {name: statistics.median(v) for name, v in figures.items()}


rows = []
for frames, threads in ((5, 1), (20, 1), (60, 1), (20, 2)):
    m = measure(frames, 500000, threads)
    native = m["native"]
    ours = m["kalloscope capture"] - native
    theirs = m["heaptrack capture"] - native if "heaptrack capture" in m else float("nan")
    rows.append((frames, threads, native, theirs, ours, ours / theirs))
    print(f"{frames} frames, {threads} threads: native {native:.0f} ns a pair, "
          f"heaptrack +{theirs:.0f}, kalloscope +{ours:.0f} ns: {ours / theirs:.2f} of heaptrack's", flush=True)

core = subprocess.run([os.path.join(args.build, "tests/core_bench")], capture_output=True, text=True, check=True).stdout
print(core, end="")

if not args.no_write:
    with open(os.path.join(here, "RESULTS.md"), "w", encoding="utf-8") as out:
        out.write("# Benchmark results\n\n")
        out.write(f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; "
                  f"medians of {args.runs} runs in turns; made by `make bench`.\n\n")
        out.write("Added cost of a recorded malloc+free pair while the program runs (its own clock). heaptrack "
                  "records the stack of malloc only; kalloscope records stacks of both.\n\n")
        out.write("| frames | threads | native ns | heaptrack adds ns | kalloscope adds ns | ratio |\n|---|---|---|---|---|---|\n")
        for r in rows:
            out.write("| %d | %d | %.0f | %.0f | %.0f | %.2f |\n" % r)
        out.write("\nThe machine alone, one CPU, no recording (tests/bench/core_bench.c):\n\n```\n" + core + "```\n")
sys.exit(0)
