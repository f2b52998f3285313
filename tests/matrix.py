#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Real programs, native and recorded, side by side: same output, errors, exit status and files, and a
recording that verifies with nothing lost.

  tests/matrix.py BUILD [--quick] [--tap] [--keep] [--write FILE] [WORD...]

All, or those whose name contains a WORD; --quick: those that CI runs. --keep: the folders of those that
passed, too, with what the program said (native.output, recorded.output ...). --write: the table also goes
into FILE, between its marks. The programs are data, a group a file in tests/matrix/*.toml:

  name       what the table calls it
  needs      commands it is skipped without
  prepare    lines for sh that make what it needs, in an empty folder; not recorded
  run        lines for sh -eu: what is run and recorded, with every process it starts
  check      lines for sh whose output is compared as well: of the files it made; not recorded
  normalise  [pattern, replacement, reason]: of output and errors before they are compared
  user       true: as another user when we are root, because the program insists on it
  options    further options of `kalloscope record`
  stated     what differs and why; `differs`: which of output, errors, lost, verify it excuses
  quick      true: part of --quick

SOURCE, BUILD, PORT (free on 127.0.0.1) and TMPDIR are set for them; HOME is the folder they run in.
"""
import argparse
import os
import pwd
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from side_by_side import Bench, Outcome, Skip
from results import Results

TESTS = Path(__file__).resolve().parent
SECONDS = 240  # for one program; a hang is a failure
WORDS = {"name", "needs", "prepare", "run", "check", "normalise", "user", "options", "stated", "differs", "quick"}
PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"


def programs():
    found = []
    for file in sorted((TESTS / "matrix").glob("*.toml")):
        for p in tomllib.loads(file.read_text())["program"]:
            unknown = p.keys() - WORDS
            if unknown:
                sys.exit(f"{file}: {p.get('name')}: there is no {', '.join(unknown)}")
            found.append(p)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Run:
    """One program in its folder, natively or recorded; the folder has the same name both times."""

    def __init__(self, bench, program):
        self.b, self.p = bench, program
        self.work, self.temporary = bench.folder / "work", bench.folder / "tmp"
        self.user = program.get("user") and os.geteuid() == 0
        bench.env.update(PATH=PATH, HOME=str(self.work), TMPDIR=str(self.temporary), SOURCE=str(TESTS.parent),
                         BUILD=str(bench.build), PORT=str(free_port()), PYTHONHASHSEED="0", PERL_HASH_SEED="0",
                         PYTHONDONTWRITEBYTECODE="1", TZ="UTC")

    def shell(self, lines, before=()):
        result = self.b.run([*before, "sh", "-euc", lines], cwd=self.work)
        return result

    def as_user(self):
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if self.user else []

    def fresh(self):
        for folder in (self.work, self.temporary):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        out, err, status = self.shell(self.p.get("prepare", ":"))
        if status:
            raise Skip(f"what it needs cannot be made: {err.decode(errors='replace').strip()[-200:]}")
        if self.user:
            who = pwd.getpwnam("nobody")
            for folder in (self.b.folder, self.work, self.temporary):
                for path in [folder, *folder.rglob("*")] if folder != self.b.folder else [folder]:
                    os.chown(path, who.pw_uid, who.pw_gid)

    def normal(self, text):
        for pattern, replacement, _ in self.p.get("normalise", []):
            text = re.sub(pattern.encode(), replacement.encode(), text)
        return text

    def once(self, how, record=()):
        self.fresh()
        start = time.monotonic()
        out, err, status = self.shell(self.p["run"], [*self.as_user(), *record])
        seconds = time.monotonic() - start
        files = b"".join(self.shell(self.p["check"])[:2]) if "check" in self.p else b""
        said = {"output": self.normal(out), "errors": self.normal(err), "files": files}
        for what, text in said.items():
            (self.b.folder / f"{how}.{what}").write_bytes(text)
        return {**said, "status": status}, seconds


def shown(status, seconds):
    return f"{status}, {seconds:.1f} s" if status != "hangs" else status


def difference(a, b):
    for left, right in zip(a.splitlines() + [b""], b.splitlines() + [b""]):
        if left != right:
            return f"{right[:160].decode(errors='replace')!r}, native {left[:160].decode(errors='replace')!r}"
    return f"{len(b)} bytes, native {len(a)}"


def compare(o, p, native, recorded):
    for what in ("status", "output", "errors", "files"):
        if native[what] == recorded[what] or what in p.get("differs", []):
            continue
        words = difference(native[what], recorded[what]) if what != "status" else f"{recorded[what]}, native {native[what]}"
        o.check(False, f"{what}: {words}")


def remarks(b, recording):
    """Processes, and what of the bytes the host served, for what reason most of them."""
    processes = b.query(recording, "SELECT count(*) FROM process")
    host = b.query(recording, "SELECT sum(bytes) FILTER (WHERE reason != 0) * 100.0 / sum(bytes) FROM served") or 0
    why = b.query(recording, "SELECT name FROM served JOIN reason_name USING (reason) WHERE reason != 0 ORDER BY bytes DESC")
    return f"{processes} process{'es' * (processes != 1)}" + (f", {host:.0f} % by the host ({why})" if host >= 0.5 else "")


def run_program(build, p, keep):
    missing = [c for c in p.get("needs", []) if not shutil.which(c, path=PATH)]
    if missing:
        return f"no {', '.join(missing)} here"
    folder = Path(tempfile.mkdtemp(prefix="kalloscope-matrix."))
    folder.chmod(0o755)
    o, b = Outcome(), Bench(build, folder, SECONDS)
    run, recording = Run(b, p), folder / "recording.kalloscope"
    try:
        if run.user and b.run([*run.as_user(), "test", "-x", b.kalloscope])[2]:
            raise Skip("another user cannot reach the build folder")
        native, seconds = run.once("native")
        o.native = shown(native["status"], seconds)
        again, seconds = run.once("recorded", [b.kalloscope, "record", "-q", *p.get("options", []), "-o", str(recording), "--"])
        o.recorded = shown(again["status"], seconds)
        compare(o, p, native, again)
        b.judge(o, str(recording), excused=p.get("differs", []))
        if o.events != "-":
            o.note = remarks(b, str(recording))
    except Skip as why:
        o = str(why)
    except (OSError, ValueError, sqlite3.Error, subprocess.SubprocessError) as e:
        o.check(False, f"{type(e).__name__}: {e}")
    if isinstance(o, Outcome):
        o.note = "; ".join(filter(None, [o.note, p.get("stated")]))
        if o.wrong:
            o.wrong.append(f"kept in {folder}")
        elif keep:
            o.note += f"; kept in {folder}"
        if o.wrong or keep:
            return o
    shutil.rmtree(folder, ignore_errors=True)
    return o


def main():
    a = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    a.add_argument("build", type=lambda x: Path(x).resolve())
    a.add_argument("words", nargs="*")
    for flag in ("quick", "tap", "keep"):
        a.add_argument("--" + flag, action="store_true")
    a.add_argument("--write", type=Path)
    a = a.parse_intermixed_args()
    chosen = [p for p in programs() if (not a.words or any(w in p["name"] for w in a.words)) and (p.get("quick") or not a.quick)]
    if not chosen:
        sys.exit(f"no program has {' or '.join(a.words)} in its name")
    results = Results("program", ["native", "recorded", "events", "lost", "verified"], a.tap)
    for p in chosen:
        o = run_program(a.build, p, a.keep)
        results.row(p["name"], o if isinstance(o, str) else [o.native, o.recorded, o.events, o.lost, o.verified],
                    "" if isinstance(o, str) else o.note, [] if isinstance(o, str) else o.wrong)
    results.end()
    if a.write:
        results.write(a.write, "matrix")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
