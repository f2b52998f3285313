# Reads meson's testlog.json and prints the closing line: TAP subtests count singly.
import json
import sys

passed = failed = skipped = 0
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        cases = [l for l in test.get("stdout", "").splitlines() if l.startswith(("ok ", "not ok "))]
        bad = sum(l.startswith("not ok ") for l in cases)
        skip = sum(l.startswith("ok ") and "# SKIP" in l for l in cases)
        if test["result"] == "SKIP":
            skipped += 1
            continue
        if test["result"] not in ("OK", "EXPECTEDFAIL") and not bad:
            bad, cases = 1, cases + ["not ok"]  # crashed, timed out, wrong exit status
        elif not cases:
            cases = ["ok"]
        failed += bad
        skipped += skip
        passed += len(cases) - bad - skip
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
