#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# libFuzzer on every target, one after the other, with what earlier runs found as the start.
#   tests/fuzz/run.sh BUILD MINUTES [TARGET...]
# BUILD/fuzz is built with clang; found inputs gather in BUILD/fuzz/found/TARGET, crashes and slow inputs
# beside them.
set -eu
build=$(realpath "$1")
minutes=$2
shift 2
source=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -gt 0 ] || set -- fold recording spool view text vectors
[ -f "$build/fuzz/build.ninja" ] || CC=clang meson setup "$build/fuzz" "$source" -Dfuzz=true -Dtests=false \
	-Dpreload=disabled -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=2
ninja -C "$build/fuzz" $(printf 'tests/fuzz/fuzz_%s ' "$@")
for target; do
	found="$build/fuzz/found/$target"
	mkdir -p "$found"
	case $target in
	fold | vectors) longest=16000 ;;
	text) longest=4096 ;;
	*) longest=600 ;;
	esac
	closed=1
	[ $target != vectors ] || closed=3 # it tells differences on stderr
	echo "== $target: $minutes minutes"
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16 \
		"$build/fuzz/tests/fuzz/fuzz_$target" -entropic=0 -max_len=$longest -timeout=60 -rss_limit_mb=3000 \
		-max_total_time=$((minutes * 60)) -close_fd_mask=$closed -print_final_stats=1 \
		-artifact_prefix="$found-" "$found" "$source/tests/fuzz/corpus/$target" 2>"$found.log" || {
		grep -aE 'ERROR|runtime error|broke|^ +#[0-9]+ ' "$found.log" | head -20
		echo "see $found.log; the input: $(ls -t "$found"-* | head -1)"
		exit 1
	}
	grep -aE 'DONE|stat::number_of_executed' "$found.log"
done
