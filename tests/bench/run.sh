#!/bin/sh
# Ratios side by side in one run: see measure.py. Writes the figures into RESULTS.md beside it.
set -eu
build=$(cd "${1:-build}" && pwd)
exec python3 "$(dirname "$0")/measure.py" "$build"
