#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Runs the tests that reference.txt names and prints its table with their results, as TAP.

usage: reference.py TABLE FOLDER_OF_TESTS
"""
import functools
import pathlib
import re
import subprocess
import sys


@functools.lru_cache(maxsize=None)
def results(program):
    """Case -> passed, from the TAP output of a test program."""
    run = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False)
    cases = re.findall(r"^(ok|not ok) \d+ - (\S+)", run.stdout, re.MULTILINE)
    return {case: ok == "ok" for ok, case in cases}


def judge(folder, names):
    """What is wrong with the cases of one fact; empty when all passed."""
    wrong = []
    for name in names:
        program, case = name.split(":")
        found = results(folder / f"{program}_test")
        if case not in found:
            wrong.append(f"{name} does not exist")
        elif not found[case]:
            wrong.append(f"{name} failed")
    return wrong


def main():
    table, folder = map(pathlib.Path, sys.argv[1:])
    lines = [l for l in table.read_text().splitlines() if l and not l.startswith("#")]
    failed = 0
    for number, line in enumerate(lines, 1):
        label, section, fact, tests = (field.strip() for field in line.split("|"))
        wrong = judge(folder, tests.split())
        if label != f"T{number}" or not tests:
            wrong.append(f"{label} stands where T{number} should")
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {label} ({section}) {fact}: {tests}")
        for text in wrong:
            print(f"# {text}")
    print(f"1..{len(lines)}")
    return failed != 0 or not lines


sys.exit(main())
