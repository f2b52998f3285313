#!/bin/bash
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# The models of rings and spool and of a CPU's lock, every interleaving of them; and that what is wrong
# would be found. TAP.
#   tests/model.sh BUILD [long]     long: more kinds of records and deaths; minutes, 2 GiB
set -u
source=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-model.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
. "$source/tests/tap.sh"

model=ring
# check MUTATION OPTION...: the verifier's words in `out`
check() {
	local mutation=$1
	shift
	spin -DMUTATION="$mutation" -DRECORDS=2 "$@" -a "$source/tests/model/$model.pml" >out 2>err &&
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
	result "$words" $?
	echo "#$(grep -a 'states, stored' out | head -1)"
}

killed="rings and spool, the program and a drainer killed anywhere"
whole "$killed"
whole "$killed, rings that are soon full" -DSIZE=1
if [ "${2:-}" = long ]; then
	whole "$killed, records of no lock between" -DLOCAL=1
	whole "$killed, two drainers killed" -DDEATHS=2
	whole "$killed, the inserter follows" -DFOLLOWS=1
fi
for mutation in HEAD_FIRST TAIL_FIRST OVERRUN TORN_KEPT ANY_ORDER TWICE UNLOCKED; do
	check $mutation -DSIZE=1
	grep -q 'errors: 1' out
	result "$mutation is found" $?
done

model=cpu
whole "the lock of a CPU, given back by a plain store" -DROUNDS=3
for mutation in NO_LIMIT UNLOCKED; do
	check $mutation
	grep -q 'errors: 1' out
	result "$mutation is found" $?
done
echo "1..$n"
exit $failed
