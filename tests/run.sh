#!/bin/sh
# Runs the whole test suite of a build folder; the log ends with what failed and why, and the last line is
# "N passed, N failed, N skipped" (summary.py).
# Exit 1 when a test failed, or when none ran.
set -u
build=${1:-build}
meson test -C "$build" --no-rebuild --print-errorlogs --num-processes "$(nproc)"
python3 "$(dirname "$0")/summary.py" "$build/meson-logs/testlog.json"
