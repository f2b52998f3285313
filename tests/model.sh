#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# The model of rings and spool, every interleaving of it; and that what is wrong would be found. TAP.
#   tests/model.sh BUILD [long]     long: more kinds of records and deaths; minutes, 2 GiB
set -u
source=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
. "$source/tests/tap.sh"

# check MUTATION OPTION...: the verifier's words in `out`
check() {
	local mutation=$1
	shift
	spin -DMUTATION="$mutation" -DRECORDS=2 "$@" -a "$source/tests/model/ring.pml" >out 2>err &&
		${CC:-cc} -O2 -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c >>out 2>>err &&
		./pan -m1000000 >out 2>err
}

if ! command -v spin >/dev/null; then
	echo "1..0 # SKIP spin is not installed"
	exit 0
fi
# whole WORDS OPTION...
whole() {
	local words=$1
	shift
	check 0 "$@"
	grep -q 'errors: 0' out && ! grep -qE 'max search depth|not completed' out
	result "rings and spool, the program and a drainer killed anywhere$words" $?
	echo "#$(grep -a 'states, stored' out | head -1)"
}

whole ""
whole ", rings that are soon full" -DSIZE=1
if [ "${2:-}" = long ]; then
	whole ", records of no lock between" -DLOCAL=1
	whole ", two drainers killed" -DDEATHS=2
	whole ", the inserter follows" -DFOLLOWS=1
fi
for mutation in HEAD_FIRST TAIL_FIRST OVERRUN TORN_KEPT ANY_ORDER TWICE UNLOCKED; do
	check $mutation -DSIZE=1
	grep -q 'errors: 1' out
	result "$mutation is found" $?
done
echo "1..$n"
exit $failed
