#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""A program that lives long, with small work all the time: the recorder's memory and its spool stay bounded.

  tests/long.py BUILD [SECONDS]      half an hour, or SECONDS (60 at least)

Prints what the recorder's processes hold, a line every twentieth of the time. The memory of the second half may
not exceed that of the first (from a tenth on) by more than 8 MiB, and the recording verifies with nothing lost.
"""
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import Bench, Outcome

# Perl's strings and arrays are malloc's; each turn frees what the one before it kept.
WORK = """my $end = time + shift; my %kept; my $n = 0;
while (time < $end) { my @a = map { 'x' x ($_ * 3) } 1 .. 100; $kept{$n % 50} = \\@a; $n++; select undef, undef, undef, 0.1 }
print $n > 50 ? "worked\\n" : "hardly worked\\n";"""


def field(pid, name):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def recorder(pid):
    """The recorder's processes: record itself and its children of the same name."""
    listed = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [pid, *(int(line.split()[0]) for line in listed.splitlines() if line.split()[1] == "kalloscope")]


def folder_kib(folder):
    return sum(f.stat().st_blocks * 512 for f in folder.glob("*") if f.is_file()) // 1024 if folder.exists() else 0


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    seconds = max(60, int(sys.argv[2]) if len(sys.argv) == 3 else 1800)
    folder = Path(tempfile.mkdtemp(prefix="kalloscope-long."))
    b, o = Bench(Path(sys.argv[1]).resolve(), folder, seconds + 300), Outcome()
    recording, spool = folder / "recording.kalloscope", folder / "recording.kalloscope.spool"
    p = subprocess.Popen([b.kalloscope, "record", "-q", "-o", str(recording), "--", "perl", "-e", WORK, str(seconds)],
                         cwd=folder, env=b.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    start, held = time.monotonic(), []
    print(f"{'seconds':>8} {'own KiB':>10} {'with shared':>12} {'spool KiB':>10} {'file KiB':>10}", flush=True)
    while p.poll() is None:
        time.sleep(seconds / 20)
        pids = recorder(p.pid)
        own, at = sum(field(x, "RssAnon") for x in pids), time.monotonic() - start
        if own and at < seconds:
            held.append((at, own))
            print(f"{at:8.0f} {own:10} {sum(field(x, 'VmRSS') for x in pids):12} {folder_kib(spool):10} "
                  f"{recording.stat().st_size // 1024 if recording.exists() else 0:10}", flush=True)
    out, err = p.communicate()
    o.check(p.returncode == 0 and out == b"worked\n" and not err, f"status {p.returncode}: {(out + err).decode()!r}")
    first = [k for at, k in held if seconds / 10 <= at < seconds / 2]
    second = [k for at, k in held if at >= seconds / 2]
    if o.check(first and second, "the recorder was not seen"):
        o.check(max(second) <= max(first) + 8192, f"it grows: {max(first)} KiB in the first half, {max(second)} in the second")
    b.judge(o, str(recording))
    if not o.wrong:
        shutil.rmtree(folder)
    print("\n".join([f"{o.events} events, {o.lost} lost, verified: {o.verified}", *o.wrong, *([f"kept in {folder}"] if o.wrong else [])]))
    sys.exit(1 if o.wrong else 0)


if __name__ == "__main__":
    main()
