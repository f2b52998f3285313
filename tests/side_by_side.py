# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""A program native and recorded, side by side: what hazards.py, matrix.py and suites.py share."""
import os
import signal
import sqlite3
import subprocess
import time


class Skip(Exception):
    pass


class Outcome:
    """One row of the table; `wrong` says what was not as it should be."""

    def __init__(self):
        self.native = self.recorded = self.events = self.lost = self.verified = "-"
        self.note = ""
        self.wrong = []

    def check(self, right, words):
        if not right:
            self.wrong.append(words)
        return right


class Bench:
    """The build under test and a folder of our own for one program; what runs for `seconds` hangs."""

    def __init__(self, build, folder, seconds):
        self.build, self.folder, self.seconds = build, folder, seconds
        self.kalloscope = str(build / "kalloscope")
        self.library = str(build / "preload/libkalloscope.so")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("KALLOSCOPE")}
        self.env.update(LC_ALL="C.UTF-8", TMPDIR=str(folder), HOME=str(folder))

    def hazard(self, name):
        return str(self.build / "tests/hazards" / name)

    def program(self, name):
        return str(self.build / "tests/programs" / name)

    def run(self, command, env=None, seconds=None, cwd=None):
        """Output, errors and status as a shell would see it."""
        seconds = seconds or self.seconds
        p = subprocess.Popen(command, cwd=cwd or self.folder, env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, err = p.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out, err = p.communicate()
            return out, err + f"still running after {seconds} s\n".encode(), "hangs"
        return out, err, p.returncode if p.returncode >= 0 else 128 - p.returncode

    def query(self, recording, sql):
        with sqlite3.connect(f"file:{recording}?mode=ro", uri=True) as db:
            row = db.execute(sql).fetchone()
            return row and row[0]

    def judge(self, o, recording, stated=None, excused=()):
        """Fills in the recording's side of a row. `stated`: words of info that excuse lost records; `excused`:
        that, or verify, may be otherwise for a reason the table gives."""
        if not o.check(os.path.exists(recording), "there is no recording"):
            return
        if not o.check(self.query(recording, "SELECT value FROM meta WHERE key = 'complete'"), "not finished"):
            return
        _, _, status = verify = self.run([self.kalloscope, "verify", recording], seconds=8 * self.seconds)
        o.events = self.query(recording, "SELECT count(*) FROM event")
        o.lost = int(self.query(recording, "SELECT value FROM meta WHERE key = 'lost'"))
        o.verified = "yes" if status == 0 else "no"
        if status == 0 and o.lost == 0:
            return
        told = b"".join(self.run([self.kalloscope, "info", recording])[:2]).decode()
        if stated and stated in told:
            o.verified = "says why"
            return
        if (status == 0 or "verify" in excused) and (not o.lost or "lost" in excused):
            return
        bad = [line for line in b"".join(verify[:2]).decode().splitlines() if not line.startswith(("ok", "info"))]
        o.check(False, f"{o.lost} lost; verify: " + "; ".join(bad[:3]))

    def finished(self, pattern="*.kalloscope"):
        """The recording a bare preload leaves here, once its recorder has ended."""
        for _ in range(600):
            found = sorted(self.folder.glob(pattern))
            if found and not list(self.folder.glob("*.spool")):
                return found[0]
            time.sleep(0.05)
        return self.folder / "none"


def compare(o, native, recorded):
    o.native, o.recorded = native[2], recorded[2]
    o.check(native[2] == recorded[2], f"status {recorded[2]}, native {native[2]}")
    for what, a, b in (("output", native[0], recorded[0]), ("errors", native[1], recorded[1])):
        o.check(a == b, f"{what}: {b[-300:].decode(errors='replace')!r}, native {a[-300:].decode(errors='replace')!r}")
