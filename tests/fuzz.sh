#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# The fuzz targets for a minute in all, without libFuzzer: every input of the corpora, then changed
# ones. Speaks TAP.   tests/fuzz.sh BUILD [SECONDS PER TARGET]
# The targets have a build folder of their own, BUILD/replay, for they are compiled with the address
# and undefined-behaviour sanitizers.
set -u
build=$(realpath "$1")
seconds=${2:-12}
source=$(cd "$(dirname "$0")/.." && pwd)
targets="fold recording spool view text vectors"
dir=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-fuzz.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
. "$source/tests/tap.sh"

configure() {
	[ -f "$build/replay/build.ninja" ] || meson setup "$build/replay" "$source" -Dfuzz=true -Dtests=false \
		-Dpreload=disabled -Db_sanitize=address,undefined -Db_lundef=false
}

# The same inputs each time, so that a failure is about what changed; FUZZ_SEED for others.
run() {
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 "$build/replay/tests/fuzz/fuzz_$1" \
		-s "$seconds" -r "$seed" "$source/tests/fuzz/corpus/$1"
}

echo 'int main(void) { return 0; }' >probe.c
if ! ${CC:-cc} -fsanitize=address,undefined probe.c -o probe 2>/dev/null || ! ./probe; then
	echo "1..0 # SKIP the compiler has no sanitizers"
	exit 0
fi
configure >out 2>err && ninja -C "$build/replay" $(printf 'tests/fuzz/fuzz_%s ' $targets) >out 2>err
result "the targets are built" $?
seed=${FUZZ_SEED:-20261122}
for target in $targets; do
	run "$target" >out 2>err
	status=$?
	if [ $status != 0 ]; then # the last lines say what went wrong; the input is worth keeping
		grep -aE 'ERROR|runtime error|broke|took too|^ +#[0-9]+ ' err >out
		cp crash-* "$build/replay/" 2>/dev/null && echo "the input is in $build/replay" >>out
		: >err
	fi
	result "$target, seed $seed" $status
	echo "# $(grep -a 'inputs,' err | tail -1)"
done
echo "1..$n"
exit $failed
