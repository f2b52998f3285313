#!/bin/sh
# Deaths and odd lives: kill -9 of the program and of the recorder, a bare preload in a pipe, exec.
#   tests/life.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: life.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
churn=$build/tests/programs/churn
library=$build/preload/libkalloscope.so
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-life.XXXXXX")
cd "$folder" || exit 1
export LC_ALL=C.UTF-8
n=0
failed=0

result() { # result NAME: ok when $ok is 1
	n=$((n + 1))
	if [ $ok = 1 ]; then echo "ok $n - $1"; else echo "not ok $n - $1 # in $folder"; failed=1; fi
	ok=1
}
fail() { echo "# $1"; ok=0; }
query() { "$kalloscope" sql --csv "$1" "$2" | tail -n 1; }
# child PID NAME: pid of a descendant whose command line has NAME in it
child() { pgrep -P "$1" -f "$2" | head -n 1; }
verified() { "$kalloscope" verify "$1" >verify.txt 2>&1 || fail "verify: $(grep -v '^ok' verify.txt | head -2 | tr '\n' ';')"; }
pause() { sleep "$(awk -v i="$1" 'BEGIN { printf "%.3f", 0.02 + (i * 37 % 100) / 250 }')"; }
ok=1

for i in 1 2 3 4; do
	"$kalloscope" record -q --force -o kill.kalloscope -- "$churn" 20 20000000 2 >/dev/null 2>&1 &
	record=$!
	tries=0
	program=
	while [ -z "$program" ] && [ $tries -lt 200 ]; do
		program=$(child $record "churn 20" | while read -r p; do [ "$(readlink "/proc/$p/exe")" = "$churn" ] && echo "$p"; done)
		tries=$((tries + 1))
		sleep 0.02
	done
	pause $i
	[ -n "$program" ] && kill -9 "$program" || fail "the program was not found"
	wait $record
	[ $? = 137 ] || fail "record's exit status is not 128 + 9"
	verified kill.kalloscope
	[ "$(query kill.kalloscope 'SELECT count(*) FROM events')" -gt 100 ] || fail "hardly an event"
	[ "$(query kill.kalloscope "SELECT value FROM meta WHERE key = 'lost'")" = 0 ] || fail "records were lost"
done
result "kill -9 of the program at four moments"

expected=$("$churn" 20 4000000)
killed=
"$kalloscope" record -q --force -o drain.kalloscope -- "$churn" 20 4000000 >drain.out 2>drain.err &
record=$!
for try in 1 2 3 4 5 6 7 8 9 10; do # as soon as it is there, which may take a while on a busy machine
	sleep 0.2
	for p in $(pgrep -P $record); do # the drainer and the inserter are forks of record itself
		# the inserter is the one that is nice
		[ "$(readlink "/proc/$p/exe")" = "$kalloscope" ] &&
			[ "$(ps -o ni= -p "$p" | tr -d ' ')" = 0 ] && kill -9 "$p" && killed=$p && break 2
	done
done
wait $record
[ $? = 0 ] || fail "exit status of record: $(cat drain.err)"
[ -n "$killed" ] || fail "the drainer was not found"
[ "$(cat drain.out)" = "$expected" ] || fail "the program's output changed"
[ -f drain.kalloscope ] && verified drain.kalloscope || fail "no recording"
result "kill -9 of the drainer: it is started again"

# A session of its own, so that only these processes are killed
setsid "$kalloscope" record -q --force -o gone.kalloscope -- "$churn" 20 4000000 >gone.out 2>gone.err &
sleep 0.2
record=$(pgrep -f "record -q --force -o gone.kalloscope" | while read -r p; do pgrep -P "$p" >/dev/null && echo "$p"; done | head -n 1)
for p in $(pgrep -P "$record") $record; do
	[ "$(readlink "/proc/$p/exe")" = "$kalloscope" ] && kill -9 "$p"
done
tries=0
while ! [ -s gone.out ] && [ $tries -lt 300 ]; do sleep 0.1; tries=$((tries + 1)); done
[ "$(cat gone.out)" = "$expected" ] || fail "the program did not finish as it should: $(cat gone.out)"
[ -d gone.kalloscope.spool ] || fail "there is no spool"
"$kalloscope" recover gone.kalloscope >recover.txt 2>&1 || fail "recover: $(tail -2 recover.txt)"
[ "$(query gone.kalloscope 'SELECT count(*) FROM events')" -gt 1000 ] || fail "nothing recovered"
[ "$(sqlite3 gone.kalloscope 'PRAGMA quick_check')" = ok ] || fail "the database is damaged"
[ -d gone.kalloscope.spool ] && fail "the spool is still there"
result "kill -9 of every recorder process: the program goes on, recover completes the file"

expected=$(ls -l /usr/bin | cksum)
actual=$(timeout 20 sh -c "LD_PRELOAD=$library ls -l /usr/bin | cat" | cksum)
[ "$actual" = "$expected" ] || fail "output differs or did not end"
tries=0
while [ "$(ls ./ls.*.kalloscope 2>/dev/null | wc -l)" = 0 ] || ls -d ./*.spool >/dev/null 2>&1; do
	tries=$((tries + 1))
	[ $tries -gt 100 ] && break
	sleep 0.1
done
verified "$(ls ./ls.*.kalloscope | head -n 1)"
result "a bare preload in a pipe ends with the program and leaves a recording"

"$kalloscope" record -q --force -o exec.kalloscope -- sh -c 'ls / >/dev/null; exec ls /' >exec.out 2>&1
ls / | cmp -s - exec.out || fail "output differs"
verified exec.kalloscope
[ "$(query exec.kalloscope 'SELECT count(*) FROM process WHERE how = 2')" -ge 2 ] || fail "exec'd processes are missing"
[ "$(query exec.kalloscope 'SELECT count(*) FROM process WHERE events > 10')" -ge 3 ] || fail "a process has no events"
result "children and exec are in the same recording"

cases=$build/tests/programs/cases
for what in exhaust huge; do
	"$kalloscope" record -q --force --spill -o more.kalloscope -- "$cases" $what >more.out 2>&1 || fail "$what: $(cat more.out)"
	verified more.kalloscope
	"$kalloscope" info more.kalloscope | grep -q 'first spill' || fail "$what: info does not tell the first spill"
	[ "$(query more.kalloscope "SELECT count(*) FROM events WHERE path = 'host' AND reason IN ('machine full', 'more than the machine has')")" -gt 0 ] || fail "$what: no spilled event"
	CASES_FAIL=1 "$kalloscope" record -q --force --fail -o more.kalloscope -- "$cases" $what >more.out 2>&1 || fail "$what with --fail: $(cat more.out)"
	verified more.kalloscope
done
result "more than the machine has: spilled and shown, or NULL and ENOMEM with --fail"

"$kalloscope" record -q --force -o status.kalloscope -- sh -c 'kill -SEGV $$' >/dev/null 2>&1
[ $? = 139 ] || fail "exit status after a signal"
"$kalloscope" record -q --force -o status.kalloscope -- sh -c 'exit 41' >/dev/null 2>&1
[ $? = 41 ] || fail "exit status"
result "exit status is the program's"

"$kalloscope" record -q --force --dump-state -o nested.kalloscope -- "$build/tests/programs/nested" >calls.txt 2>&1
verified nested.kalloscope
query nested.kalloscope "SELECT sum(kind = 'malloc') || ' ' || sum(kind = 'calloc') || ' ' || sum(kind = 'realloc') || ' ' ||
	sum(kind = 'free') || ' ' || sum(kind = 'mmap') || ' ' || sum(kind = 'munmap') FROM events" | tr -d '"' >rows.txt
cmp -s calls.txt rows.txt || fail "calls $(cat calls.txt), rows $(cat rows.txt)"
[ "$(query nested.kalloscope "SELECT count(*) FROM events WHERE kind = 'calloc'")" -gt 100 ] || fail "no handler's call in the recording"
[ "$(query nested.kalloscope "SELECT count(*) FROM events WHERE kind = 'free' AND ref = 0")" = 0 ] || fail "frees without their allocation"
[ "$(query nested.kalloscope "SELECT value FROM meta WHERE key = 'lost'")" = 0 ] || fail "records were lost"
result "calls of handlers that interrupt the machine are recorded, each once"

for i in 1 2 3; do
	"$kalloscope" record -q --force --dump-state -o jump.kalloscope -- "$build/tests/programs/nested" jump >/dev/null 2>jump.err
	status=$?
	[ "$(query jump.kalloscope "SELECT value FROM meta WHERE key = 'lost'")" = 0 ] || fail "records were lost"
	verified jump.kalloscope
	[ $status = 0 ] || fail "exit status $status: $(cat jump.err)"
	[ "$(query jump.kalloscope "SELECT count(*) FROM events WHERE kind = 'exit'")" = 1 ] || fail "its end is not in the recording"
	[ "$(query jump.kalloscope "SELECT count(*) FROM events WHERE kind = 'malloc'")" -gt 10000 ] || fail "hardly an event"
done
result "jumps out of handlers: nothing is lost"

"$kalloscope" record -q --force --dump-state -o threads.kalloscope -- "$build/tests/programs/threads_fork" || fail "exit status $?"
verified threads.kalloscope
stacks() { "$kalloscope" proc -p "$1" -a "$2" meminfo threads.kalloscope | awk '/KernelStack/ { print $2 }'; }
forked=$(query threads.kalloscope "SELECT first_event FROM process WHERE process = 2")
[ "$(stacks 2 end)" = 8 ] || fail "KernelStack of the child is $(stacks 2 end) kB"
[ "$(stacks 1 "#$forked")" = 40 ] || fail "KernelStack of the parent is $(stacks 1 "#$forked") kB"
result "a forked child has one kernel stack"

[ "$(query threads.kalloscope "SELECT group_concat(old, ' ') FROM (SELECT old FROM events WHERE kind = 'thread_start' ORDER BY id)")" = "1 2 3 4 5 1" ] ||
	fail "threads counted: $(query threads.kalloscope "SELECT id, process, old FROM events WHERE kind = 'thread_start'")"
[ "$(query threads.kalloscope "SELECT count(*) FROM transitions WHERE kind = 'alloc_percpu' AND process = 1")" = 1 ] || fail "no per-CPU variable"
result "threads are counted in a per-CPU variable"

# Pages of a file come with a bio each run, which is given back; the reserve of two stays
"$kalloscope" record -q --force --dump-state -o bio.kalloscope -- /usr/bin/python3 -c '
import mmap
with open("/usr/bin/python3", "rb") as f:
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    sum(m[i] for i in range(0, 1 << 21, 4096))
    m.close()' || fail "exit status $?"
verified bio.kalloscope
bios() { query bio.kalloscope "SELECT count(*) FROM transitions t JOIN cache c ON c.cache = t.cache AND c.process = t.process WHERE c.name = 'bio-0' AND t.kind = '$1'"; }
[ "$(bios kmem_cache_alloc)" -gt 2 ] || fail "$(bios kmem_cache_alloc) bios were allocated"
[ "$(bios kmem_cache_alloc)" = $(($(bios kmem_cache_free) + 2)) ] || fail "$(bios kmem_cache_alloc) bios allocated, $(bios kmem_cache_free) freed"
result "file pages are read through a mempool of bios"

for case in mmap mmap_flags mremap; do
	"$kalloscope" record -q --force --dump-state -o "$case.kalloscope" -- "$build/tests/programs/cases" $case >cases.out 2>&1 || fail "$case: exit status $?"
	verified $case.kalloscope
	[ "$(query $case.kalloscope "SELECT count(*) FROM events WHERE kind = 'munmap' AND ref = 0 AND NOT flags & 4")" = 0 ] || fail "$case: munmap of nothing"
done
[ "$(query mmap_flags.kalloscope "SELECT count(*) FROM events WHERE kind = 'munmap' AND path = 'host'")" = 2 ] ||
	fail "the mapping laid over another did not end"
result "partial unmapping, unmapping of several, MAP_FIXED over the own: each piece finds its mapping"

echo "1..$n"
[ $failed = 0 ] && rm -rf "$folder"
exit $failed
