#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Whole test suites of other projects, native and recorded: each test has to end as it does natively, and
the recording verifies with nothing lost.

  tests/suites.py BUILD [--keep] [--write FILE] [WORD...]

All, or those whose name contains a WORD. --keep: their folders stay. --write: the table also goes into FILE,
between its marks. The suites are data, in tests/suites/*.toml:

  name       what the table calls it
  needs      commands or files it is skipped without
  options    further options of `kalloscope record`
  source     Debian source package it is taken from; version: other than the newest. Fetched once, by a list
             of sources of our own, into BUILD/suites
  prepare    lines for sh that make what it needs in BUILD/suites/NAME, once; SOURCE is the unpacked package
  parts      {name: words}: recorded one by one, each a row of its own; run finds its words in PART
  run        lines for sh: what is run and recorded, in an empty folder; MADE is what prepare made. Results go
             to OUT: *.xml in the form of JUnit, *.tap
  explained  [pattern, reason]: tests that may end otherwise
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from results import Results
from side_by_side import Bench, Outcome, Skip

TESTS = Path(__file__).resolve().parent
SECONDS = 1500
WORDS = {"name", "needs", "source", "version", "prepare", "run", "explained", "options", "parts"}
preparing = threading.Lock()  # apt has one list, and a compiler all CPUs
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCES = "\n".join(f"Types: deb-src\nURIs: http://deb.debian.org/{path}\nSuites: {suite}\nComponents: main\nSigned-By: {KEYS}\n"
                    for path, suite in (("debian", "bookworm"), ("debian-security", "bookworm-security")))


def suites():
    found = []
    for file in sorted((TESTS / "suites").glob("*.toml")):
        s = tomllib.loads(file.read_text())
        if s.keys() - WORDS:
            sys.exit(f"{file}: there is no {', '.join(s.keys() - WORDS)}")
        parts = s.get("parts")
        found += [{**s, "row": f"{s['name']}: {part}", "part": parts[part]} for part in parts] if parts else [{**s, "row": s["name"]}]
    return found


def checked(command, **more):
    p = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    if p.returncode:
        raise Skip(f"{command[0]}: {(p.stderr or p.stdout).strip()[-300:]}")


def fetch(suite, top):
    """The unpacked source package, from a list of sources that is nobody else's."""
    folder = top / "source" / suite["source"]
    if not folder.exists():
        apt = top / "apt"
        (apt / "parts").mkdir(parents=True, exist_ok=True)
        (apt / "lists/partial").mkdir(parents=True, exist_ok=True)
        (apt / "parts/source.sources").write_text(SOURCES)
        get = ["apt-get", "-qq", "-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={apt}/parts",
               "-o", f"Dir::State::lists={apt}/lists", "-o", "APT::Sandbox::User="]
        checked([*get, "update"])
        new = Path(tempfile.mkdtemp(dir=top))
        wanted = suite["source"] + ("=" + suite["version"] if "version" in suite else "")
        checked([*get, "source", wanted], cwd=new)
        folder.parent.mkdir(exist_ok=True)
        next(p for p in new.iterdir() if p.is_dir()).rename(folder)
        shutil.rmtree(new)
    return folder


def prepared(suite, top):
    """What `prepare` made, now or by an earlier run of the same lines."""
    lines = suite.get("prepare", ":")
    made = top / (re.sub(r"\W", "_", suite["name"]) + "." + hashlib.sha256(lines.encode()).hexdigest()[:8])
    if not (made / ".done").exists():
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        source = fetch(suite, top) if "source" in suite else made
        checked(["sh", "-euc", lines], cwd=made, env={**os.environ, "SOURCE": str(source)})
        (made / ".done").touch()
    return made


def read_junit(file, results):
    for case in xml.etree.ElementTree.parse(file).iter("testcase"):
        tags = {child.tag for child in case}
        name = f"{case.get('classname', '')}.{case.get('name')}".lstrip(".")
        while name in results:
            name += "+"  # the same test in another module's name
        bad = tags & {"failure", "error"}
        skipped = "skipped" in tags or case.get("status") == "notrun" or case.get("result") == "skipped"
        results[name] = "fail" if bad else "skip" if skipped else "pass"


def read_tap(file, results):
    for line in file.read_text(errors="replace").splitlines():
        found = re.match(r"(not )?ok\b\s*(\d+)?", line)
        if found:
            what = "todo" if re.search(r"#\s*todo\b", line, re.I) else "skip" if re.search(r"#\s*skip\b", line, re.I) else "pass"
            number = found[2] or str(sum(1 for r in results if r.startswith(file.stem + ":")) + 1)
            results[f"{file.stem}:{number}"] = "fail" if found[1] and what != "todo" else what
        elif line.startswith("exit "):
            results[f"{file.stem}:exit"] = "pass" if line == "exit 0" else "fail"


def read_results(out):
    results = {}
    for file in sorted(out.iterdir()):
        if file.suffix == ".xml":
            read_junit(file, results)
        elif file.suffix == ".tap":
            read_tap(file, results)
    return results


def run_once(b, suite, made, how, record=()):
    work, temporary, out = b.folder / "work", b.folder / "tmp", b.folder / f"{how}.results"
    for folder in (work, temporary, out):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    b.env.update(HOME=str(work), TMPDIR=str(temporary), MADE=str(made), OUT=str(out), PART=suite.get("part", ""),
                 TZ="UTC", PYTHONHASHSEED="0", PERL_HASH_SEED="0", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    start = time.monotonic()
    output, errors, status = b.run([*record, "sh", "-uc", suite["run"]], cwd=work)
    (b.folder / f"{how}.output").write_bytes(output + errors)
    return read_results(out), status, time.monotonic() - start


def compare(o, suite, native, recorded):
    """Every test that ended otherwise; what explains some of them, for the note."""
    reasons = {}
    for name in sorted(native.keys() | recorded.keys()):
        a, b = native.get(name, "not run"), recorded.get(name, "not run")
        if a == b:
            continue
        reason = next((why for pattern, why in suite.get("explained", []) if re.search(pattern, name)), None)
        if reason:
            reasons.setdefault(reason, []).append(name)
        elif len(o.wrong) < 40:
            o.check(False, f"{name}: {b}, native {a}")
    return [f"{len(names)} differ: {why}" for why, names in reasons.items()]


def counted(results, seconds):
    of = list(results.values())
    return f"{of.count('pass') + of.count('todo')}/{of.count('fail')}, {seconds:.0f} s"


def run_suite(build, suite, keep):
    missing = [c for c in suite.get("needs", []) if not shutil.which(c) and not os.path.exists(c)]
    if missing:
        return f"no {', '.join(missing)} here"
    top = build / "suites"
    top.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="kalloscope-suite."))
    o, b, recording = Outcome(), Bench(build, folder, SECONDS), folder / "recording.kalloscope"
    try:
        with preparing:
            made = prepared(suite, top)
        native, status, seconds = run_once(b, suite, made, "native")
        o.check(native, "no test ran")
        o.tests, o.native = len(native), counted(native, seconds)
        record = [b.kalloscope, "record", "-q", *suite.get("options", []), "-o", str(recording), "--"]
        again, status_again, seconds = run_once(b, suite, made, "recorded", record)
        o.recorded = counted(again, seconds)
        o.check(status == status_again, f"status {status_again}, native {status}")
        o.note = "; ".join(compare(o, suite, native, again))
        b.judge(o, str(recording))
    except Skip as why:
        o = str(why)
    if isinstance(o, Outcome) and (o.wrong or keep):
        o.wrong.append(f"kept in {folder}") if o.wrong else print(f"# kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return o


def main():
    a = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    a.add_argument("build", type=lambda x: Path(x).resolve())
    a.add_argument("words", nargs="*")
    a.add_argument("--keep", action="store_true")
    a.add_argument("--write", type=Path)
    a = a.parse_intermixed_args()
    chosen = [s for s in suites() if not a.words or any(w in s["row"] for w in a.words)]
    if not chosen:
        sys.exit(f"no suite has {' or '.join(a.words)} in its name")
    results = Results("suite", ["tests", "native", "recorded", "events", "lost", "verified"], False)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for suite, o in zip(chosen, pool.map(lambda s: run_suite(a.build, s, a.keep), chosen)):
            if isinstance(o, str):
                results.row(suite["row"], o, "", [])
            else:
                results.row(suite["row"], [o.tests, o.native, o.recorded, o.events, o.lost, o.verified], o.note, o.wrong)
    results.end()
    if a.write:
        results.write(a.write, "suites")
    sys.exit(1 if results.failed else 0)


if __name__ == "__main__":
    main()
