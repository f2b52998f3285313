#!/bin/sh
# A recorded malloc or free whose trace is cached makes no system call: strace sees none at all
# between marks with 100,000 calls of each.   tests/syscalls.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: syscalls.sh BUILD}" && pwd)
command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null || { echo "1..0 # SKIP strace may not trace here"; exit 0; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-syscalls.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
pairs=50000
failed=0

result() { # STATUS NAME
	n=$((${n:-0} + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}

# A ring holds a round and more, so that a drainer that gets no CPU makes nobody wait.
"$build/kalloscope" record -q --cpus=1 -o r.kalloscope -- strace -o log "$build/tests/programs/warm" $pairs 3
result $? "the program runs"
[ "$(grep -c '^umask' log)" = 6 ]
result $? "every mark is in the log"
awk '/^umask/ { mark++; next } mark == 3 || mark == 5' log >between # the first round warms up
[ ! -s between ]
result $? "no system call between them"
head -5 between | sed 's/^/# /'
rows=$("$build/kalloscope" sql -n r.kalloscope "
	SELECT count(*) FROM events WHERE kind IN ('malloc', 'free')
	AND stack IN (SELECT stack FROM stacks WHERE depth = 0 AND function = 'replace')")
[ "$rows" = $((6 * pairs - 64)) ]
result $? "and each of the calls is a row ($rows)"
echo "1..$n"
exit $failed
