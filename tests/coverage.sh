#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# Line coverage of core/ by the unit tests and the recorded kernel: one line per file with the
# lines never reached, then the total.   tests/coverage.sh [LEAST PERCENT]
# Needs gcovr (make coverage installs it). Exit 1: below the least, or a test failed.
set -eu
least=${1:-95}
source=$(cd "$(dirname "$0")/.." && pwd)
build=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-coverage.XXXXXX")
trap 'rm -rf "$build"' EXIT

meson setup "$build" "$source" -Db_coverage=true -Dc_args=-fprofile-update=atomic -Doptimization=1 -Ddebug=true \
	-Dpreload=disabled -Dviewer=disabled >"$build/setup.log" || { cat "$build/setup.log"; exit 1; }
# The tests that need nothing but core, and the programs they run.
chosen=$(meson introspect "$build" --tests | python3 -c '
import json, os, sys
build = os.path.realpath(sys.argv[1])
for test in json.load(sys.stdin):
    suites = {s.split(":")[-1] for s in test["suite"]}
    exe = os.path.realpath(test["cmd"][0])
    if suites & {"unit", "vectors"} and test["name"] != "recorder" and exe.startswith(build):
        print(test["name"], os.path.relpath(exe, build))' "$build")
ninja -C "$build" $(echo "$chosen" | cut -d" " -f2) >"$build/build.log" ||
	{ tail -30 "$build/build.log"; exit 1; }
meson test -C "$build" --no-rebuild --print-errorlogs $(echo "$chosen" | cut -d" " -f1) \
	>"$build/test.log" 2>&1 || { cat "$build/test.log"; exit 1; }
gcovr --root "$source" --filter "$source/core/" --fail-under-line "$least" "$build"
