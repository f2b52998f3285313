# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""The end of a log: each test that failed, with its reason, and the closing line; TAP subtests count singly.

  tests/summary.py BUILD/meson-logs/testlog.json
"""
import json
import sys

LINES = 5  # of comments before a subtest that failed, and as many behind it
COLUMNS = 300
SHOWN = 60  # lines in all; what else failed is in the log above


def comments(lines):
    """The comments at the start of lines."""
    found = []
    for line in lines[:LINES]:
        if not line.startswith("#"):
            break
        found.append(line)
    return found


def failures(name, lines):
    """The subtests that failed, and what scripts say beside them: some before the line, some behind."""
    for i, line in enumerate(lines):
        if line.startswith("not ok "):
            yield f"{name}: {line}"
            yield from reversed(comments(lines[:i][::-1]))
            yield from comments(lines[i + 1:])


passed = failed = skipped = 0
told = []
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        lines = test.get("stdout", "").splitlines()
        cases = [l for l in lines if l.startswith(("ok ", "not ok "))]
        bad = sum(l.startswith("not ok ") for l in cases)
        skip = sum(l.startswith("ok ") and "# SKIP" in l for l in cases)
        if test["result"] == "SKIP":
            skipped += 1
            continue
        told += failures(test["name"], lines)
        if test["result"] not in ("OK", "EXPECTEDFAIL") and not bad:
            bad, cases = 1, cases + ["not ok"]  # crashed, timed out, wrong exit status
            last = (test.get("stderr", "").strip() or test.get("stdout", "").strip()).splitlines()[-LINES:]
            told += [f"{test['name']}: {test['result']}, status {test.get('returncode')}", *last]
        elif not cases:
            cases = ["ok"]
        failed += bad
        skipped += skip
        passed += len(cases) - bad - skip
if told:
    print("\nWhat failed:")
    print("\n".join(line[:COLUMNS] for line in told[:SHOWN]))
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
