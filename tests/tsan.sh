#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# Tests with threads under ThreadSanitizer: the core on several CPUs, the locks of the library's CPUs, the
# recorder's two threads.
#   tests/tsan.sh BUILD
# There are no suppressions. BUILD/tsan is built with clang.
set -eu
build=$(realpath "$1")
source=$(cd "$(dirname "$0")/.." && pwd)
tests="cpu pages_threads slab_threads vm_threads recorder"
[ -f "$build/tsan/build.ninja" ] || CC=clang meson setup "$build/tsan" "$source" -Db_sanitize=thread -Db_lundef=false \
	-Dviewer=disabled -Dpreload=disabled
ninja -C "$build/tsan" $(printf 'tests/%s_test ' $tests)
for test in $tests; do
	TSAN_OPTIONS=halt_on_error=1 "$build/tsan/tests/${test}_test" || { echo "$test: see above"; exit 1; }
done
