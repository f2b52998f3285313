#!/bin/sh
# The allocator without a recording: hazard programs and real programs under the preload library
# must do what they do natively. TAP on stdout.
#
#   tests/preload.sh BUILD
set -u
build=$(cd "${1:?usage: preload.sh BUILD}" && pwd)
lib=$build/preload/libkalloscope.so
tests=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-preload.XXXXXX")
trap 'rm -rf "$top"' EXIT
export LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PERL_HASH_SEED=0 PYTHONDONTWRITEBYTECODE=1
n=0
failed=0

# report NAME STATUS
report() {
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		failed=$((failed + 1))
	fi
}

# preloaded COMMAND...: with no session to record into; the library says so on stderr
preloaded() {
	KALLOSCOPE_SESSION=/nonexistent/rings LD_PRELOAD=$lib timeout 120 "$@"
}

# compare NAME COMMAND...: same output, errors and status
compare() {
	name=$1
	shift
	"$@" >"$top/out.native" 2>"$top/err.native"
	native=$?
	preloaded "$@" >"$top/out" 2>"$top/err.all"
	status=$?
	grep -v '^kalloscope: ' "$top/err.all" >"$top/err"
	[ $status = $native ] && cmp -s "$top/out.native" "$top/out" && cmp -s "$top/err.native" "$top/err"
	report "$name" $?
}

cases=$build/tests/programs/cases
for name in $("$cases"); do
	preloaded "$cases" "$name" >"$top/out" 2>"$top/err"
	status=$?
	[ $status = 0 ] || sed 's/^/# /' "$top/out" "$top/err"
	report "cases $name" $status
done
(ulimit -v 3000000 && preloaded "$cases" align >"$top/out" 2>&1)
report 'no room for the arena' $?
(ulimit -v 8000000 && preloaded "$cases" align >"$top/out" 2>&1)
report 'little room beside the arena' $?

printf KLSCOLS1 >"$top/rings" # and a layout of 0
truncate -s 65536 "$top/rings"
KALLOSCOPE_SESSION=$top/rings LD_PRELOAD=$lib "$cases" align >"$top/out" 2>"$top/err" &&
	[ "$(wc -l <"$top/err")" = 1 ] && grep -q 'made by another build' "$top/err"
report 'a session of another build: the program runs, one line says so' $?

if command -v c++ >/dev/null && c++ -O1 -std=c++17 -o "$top/news" "$tests/programs/news.cc"; then
	compare 'C++ new and delete' "$top/news"
fi
compare ls ls -lR /usr/share/perl5
compare python python3 -c 'import json; d = {str(i): list(range(i % 50)) for i in range(20000)}
s = json.dumps(d); print(len(s), json.loads(s) == d)'
compare 'python threads' python3 -c 'import threading
r = []
def f():
    r.append(len({i: [i] * (i % 20) for i in range(20000)}))
t = [threading.Thread(target=f) for i in range(6)]
[x.start() for x in t]; [x.join() for x in t]; print(r)'
compare 'python processes' python3 -c 'import multiprocessing, os
print(sum(multiprocessing.Pool(3).map(abs, range(-1000, 1000))))'
compare perl perl -e 'my %h; $h{$_} = $_ * 2 for 1 .. 200000; my $s = 0; $s += $h{$_} for keys %h; print "$s\n"'
compare bash bash -c 'for i in 1 2 3; do echo $i | tr 1 2; done; exit 5'
compare awk awk 'BEGIN { for (i = 0; i < 200000; i++) a[i] = i "x"; for (k in a) n += length(a[k]); print n }'
compare gcc sh -c "gcc -O2 -D_GNU_SOURCE -S -o - '$tests/programs/cases.c'"
compare sqlite3 sqlite3 :memory: 'create table t(a); with recursive c(x) as
(select 1 union all select x + 1 from c where x < 100000) insert into t select x from c; select sum(a) from t;'
compare git git -C "$tests" log --stat -5
compare xz sh -c "xz -0 <'$cases' | xz -d | cksum"
compare 'a killed shell' sh -c 'kill -SEGV $$'
echo "1..$n"
[ $failed = 0 ]
