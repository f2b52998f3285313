#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Where heaptrack harms or loses the program, reproduced, with ours beside it.

  tests/hazards_compare.py BUILD [FILE]   prints a table in Markdown; into FILE as well, between its marks

Each program says natively what it should say; the other columns say what it did under each tool.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from results import Results

SECONDS = 20


def run(command, folder):
    p = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         start_new_session=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
    try:
        out, err = p.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.communicate()
        return f"hangs (ended after {SECONDS} s)"
    lines = [l for l in out.decode(errors="replace").splitlines() if not l.startswith(("heaptrack", "  ", "starting", "Heaptrack"))]
    lines = [l for l in lines if l.strip() and "heaptrack" not in l]
    status = p.returncode if p.returncode >= 0 else 128 - p.returncode
    # Our refusal, without folders and what to do instead
    refusal = [re.sub(r"^kalloscope: |/\S*/|;.*", "", l) for l in err.decode(errors="replace").splitlines()
               if l.startswith("kalloscope: ")]
    return f"{status}: {(lines or refusal or ['says nothing'])[-1]}"


def harmless(native, ours):
    """As native, or refused before it runs; what libc ends by a signal may go on with us."""
    return ours == native or ours.startswith("2: ") or (native.startswith("1") and ours.startswith("0: "))


def main():
    if len(sys.argv) not in (2, 3):
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
    results = Results("program", ["native", "heaptrack", "kalloscope"], False, 34)
    for n, (name, command) in enumerate(cases.items()):
        folder = top / str(n)
        folder.mkdir()
        command = [str(c) for c in command]
        native = run(command, folder)
        theirs = run(["heaptrack", "-r", "-o", str(folder / "ht"), *command], folder)
        ours = run([str(build / "kalloscope"), "record", "-q", "-o", str(folder / "ours.kalloscope"), "--", *command], folder)
        results.row(name, [native, theirs, ours], "", [] if harmless(native, ours) else [f"ours: {ours}, native {native}"])
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
    recorded = count.stdout.strip()
    results.row("a shell that starts six programs", ["6 of 6 run", f"{theirs} of 6 recorded", f"{recorded} of 6 recorded, in one file"], "",
                [] if recorded == "6" else [f"{recorded} of 6 recorded"])
    shutil.rmtree(top, ignore_errors=True)
    results.end()
    if len(sys.argv) == 3:
        results.write(Path(sys.argv[2]), "heaptrack")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
