#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Runs every command of viewer/TUTORIAL.md on fresh recordings and compares what it prints with what
the tutorial says; its pictures must be drawn and small.   tests/tutorial.py BUILD      TAP on stdout

With --write the tutorial's outputs and pictures are replaced by those of this run (make tutorial)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>c|sh)\n(?P<code>.*?)```\n"
                   r"(?:```text\n(?P<output>.*?)```\n)?", re.S)
PICTURE = re.compile(r"!\[.+?\]\(tutorial/(\S+?)\)")
PICTURE_BYTES = 150 * 1024


def fail(message):
    sys.exit("tutorial.py: " + message)


def run(code, folder, env):
    """Standard output of the commands, which share variables through a file; stderr must stay empty."""
    script = f"set -e -o pipefail\n[ ! -f .vars ] || . ./.vars\n{code}\ndeclare -p unmapped image 2>/dev/null >.vars || true\n"
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode == 0 and not done.stderr, done.stdout, done.stderr


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def result(self, ok, name, why=""):
        self.n += 1
        self.failed += not ok
        print(f"{'ok' if ok else 'not ok'} {self.n} - {name}")
        if not ok:
            print("".join(f"# {line}\n" for line in why.splitlines()), end="")


def block_name(code):
    return code.strip().splitlines()[0].replace("#", "")[:70]


def run_blocks(text, folder, env, tap):
    """The text with the outputs of this run."""
    def one(match):
        if match["kind"] == "c":
            with open(os.path.join(folder, match["file"]), "w", encoding="utf-8") as f:
                f.write(match["code"])
            return match[0]
        ok, out, err = run(match["code"], folder, env)
        said = match["output"] or ""
        tap.result(ok and (out == said or "--write" in sys.argv), block_name(match["code"]),
                   f"said:\n{said}\nprinted:\n{out}\n{err}")
        return match[0] if match["output"] is None else \
            f"```sh\n{match['code']}```\n```text\n{out}```\n"
    return BLOCK.sub(one, text)


def check_pictures(text, folder, shown, tap):
    names = PICTURE.findall(text)
    tap.result(0 < len(names) <= 8, "one to eight pictures")
    tap.result(sorted(names) == sorted(os.listdir(shown)), "the pictures beside the tutorial are those it shows")
    for name in names:
        path = os.path.join(folder, name)
        size = os.path.getsize(path) if os.path.exists(path) else 0
        tap.result(0 < size <= PICTURE_BYTES, f"{name} is drawn, of at most 150 KiB", f"{size} bytes")


def main():
    if len(sys.argv) < 2:
        fail("usage: tutorial.py BUILD [--write]")
    build = os.path.abspath(sys.argv[1])
    viewer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "viewer")
    page, shown = os.path.join(viewer, "TUTORIAL.md"), os.path.join(viewer, "tutorial")
    if not os.path.exists(os.path.join(build, "viewer", "kalloscope-render")):
        print("1..0 # SKIP built without cairo")
        return 0
    env = {k: v for k, v in os.environ.items() if k not in ("KALLOSCOPE_OPTIONS", "LD_PRELOAD")}
    env.update(PATH=build + ":" + env["PATH"], LC_ALL="C.UTF-8", NO_COLOR="1", COLUMNS="80")
    tap = Tap()
    with open(page, encoding="utf-8") as f:
        text = f.read()
    with tempfile.TemporaryDirectory(prefix="kalloscope-tutorial.") as folder:
        new = run_blocks(text, folder, env, tap)
        if "--write" in sys.argv:
            shutil.rmtree(shown, ignore_errors=True)
            os.mkdir(shown)
            for name in PICTURE.findall(text):
                shutil.copyfile(os.path.join(folder, name), os.path.join(shown, name))
            with open(page, "w", encoding="utf-8") as f:
                f.write(new)
        check_pictures(text, folder, shown, tap)
    print(f"1..{tap.n}")
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
