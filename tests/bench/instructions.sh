#!/bin/sh
# Instructions a recorded malloc and free take when both are hits, 20 frames deep: unlike times, the
# same on a busy machine. Counted by callgrind as the difference of two runs, so that start and first
# calls do not matter.
#
#   tests/bench/instructions.sh BUILD
set -eu
build=$(cd "${1:?usage: instructions.sh BUILD}" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-instructions.XXXXXX")
trap 'rm -rf "$top"' EXIT
cd "$top"
few=4000
many=14000

cat >pairs.c <<'C'
#include <stdlib.h>
static __attribute__((noinline)) void pairs(long n)
{
	while (n--) {
		char *volatile p = malloc(100);
		*p = 1;
		free(p);
	}
}
static __attribute__((noinline)) long descend(long depth, long n)
{
	volatile long keep = n;
	if (!depth) {
		pairs(n);
		return keep;
	}
	return descend(depth - 1, n) + keep;
}
int main(int argc, char **argv)
{
	(void)argc;
	return descend(20, atol(argv[1])) < 0;
}
C
"${CC:-cc}" -O2 -o pairs pairs.c

for n in $few $many; do
	"$build/kalloscope" record -q -o "$n.kalloscope" -- \
		valgrind -q --tool=callgrind --callgrind-out-file="$n.out" ./pairs $n
	callgrind_annotate --threshold=100 --inclusive=yes "$n.out" >"$n.txt"
done

# spent FUNCTION FILE: instructions in FUNCTION and all it calls
spent() {
	awk -v name=":$1" '$0 ~ name "( |$)" { gsub(",", "", $1); print $1; exit }' "$2"
}

for f in malloc free capture_stack capture_op site_of_call route_alloc route_find route_free cpu_enter cpu_leave; do
	a=$(spent "$f" $few.txt) b=$(spent "$f" $many.txt)
	[ -n "$a" ] && [ -n "$b" ] || continue # inlined in this build
	awk -v f="$f" -v d=$((b - a)) -v n=$((many - few)) 'BEGIN { printf "%-14s %7.1f a pair\n", f, d / n }'
done
