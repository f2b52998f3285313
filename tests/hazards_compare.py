#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Where heaptrack harms or loses the program, reproduced, with ours beside it.

  tests/hazards_compare.py BUILD      prints a table in Markdown (tests/hazards/README.md has one)

Each program says natively what it should say; the other columns say what it did under each tool.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

SECONDS = 20


def run(command, folder):
    p = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         start_new_session=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    try:
        out, _ = p.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.communicate()
        return f"hangs (ended after {SECONDS} s)"
    lines = [l for l in out.decode(errors="replace").splitlines() if not l.startswith(("heaptrack", "  ", "starting", "Heaptrack"))]
    lines = [l for l in lines if l.strip() and "heaptrack" not in l]
    status = p.returncode if p.returncode >= 0 else 128 - p.returncode
    return f"{status}: {lines[-1] if lines else 'says nothing'}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    build = Path(sys.argv[1]).resolve()
    if not shutil.which("heaptrack"):
        sys.exit("heaptrack is not installed: apt-get install heaptrack")
    hazards, churn = build / "tests/hazards", build / "tests/programs/churn"
    top = Path(tempfile.mkdtemp(prefix="kalloscope-compare."))
    static = top / "static"
    (top / "static.c").write_text('#include <stdio.h>\nint main(void) { puts("static"); return 3; }\n')
    subprocess.run(["gcc", "-static", "-o", static, top / "static.c"], check=True)
    cases = {
        "closes all descriptors, opens its own file": [hazards / "descriptors", "close"],
        "replaces all descriptors": [hazards / "descriptors", "replace"],
        "handlers on stacks of 4, 8, 16 KiB": [hazards / "stacks", "altstacks"],
        "coroutines on stacks of 4, 8, 16 KiB": [hazards / "stacks", "contexts"],
        "static program": [static],
        "strict seccomp": [hazards / "sandboxes", "strict"],
        "handlers that jump out of malloc": [hazards / "handlers", "jumping"],
    }
    print("| program | native | heaptrack | kalloscope |\n|---|---|---|---|")
    for n, (name, command) in enumerate(cases.items()):
        folder = top / str(n)
        folder.mkdir()
        command = [str(c) for c in command]
        native = run(command, folder)
        theirs = run(["heaptrack", "-r", "-o", str(folder / "ht"), *command], folder)
        ours = run([str(build / "kalloscope"), "record", "-q", "-o", str(folder / "ours.kalloscope"), "--", *command], folder)
        print(f"| {name} | {native} | {theirs} | {ours} |", flush=True)
    folder = top / "children"
    folder.mkdir()
    line = ["sh", "-c", f"for i in 1 2 3 4 5 6; do {churn} 5 1000; done; exit 0"]
    run(["heaptrack", "-r", "-o", str(folder / "ht"), *line], folder)
    recording = folder / "ours.kalloscope"
    run([str(build / "kalloscope"), "record", "-q", "-o", str(recording), "--", *line], folder)
    # A file of either kind names the programs in it
    count = subprocess.run([str(build / "kalloscope"), "sql", "-n", str(recording),
                            "SELECT count(*) FROM process WHERE exe LIKE '%churn' AND events > 0"], capture_output=True, text=True)
    theirs = sum(b"churn" in subprocess.run(["sh", "-c", f"zstdcat -f {f} 2>/dev/null || zcat -f {f}"], capture_output=True).stdout
                 for f in folder.glob("ht*"))
    print(f"| a shell that starts six programs | 6 of 6 run | {theirs} of 6 recorded | {count.stdout.strip()} of 6 recorded, in one file |")
    shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
