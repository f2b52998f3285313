#!/bin/sh
# What of a program is recorded: --after, --for, --only, --max-size; marks; pack and unpack.
#   tests/options.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: options.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
paced=$build/tests/programs/paced
include=$(cd "$(dirname "$0")/../preload" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-options.XXXXXX")
trap 'rm -rf "$folder"' EXIT
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD COLUMNS
export LC_ALL=C.UTF-8

query() { "$kalloscope" sql -n "$1" "$2"; }
# holds NAME FILE EXPRESSION: of first and last time in seconds (a, b) and the number of events (n)
holds() {
	is "$1" 1 "$(query "$2" "SELECT $3 FROM (SELECT count(*) n, min(t_ns) / 1e9 a, max(t_ns) / 1e9 b FROM event)")"
}

# --- when
expect 0 '^ran$' '--after' record -q -o after.k --after 0.6 -- "$paced" 1.2 3
holds 'nothing is recorded before' after.k 'n > 100 AND a >= 0.6'
is 'what glibc gave goes back to glibc' 1 "$(query after.k "SELECT count(*) > 0 FROM events WHERE kind = 'free' AND path = 'host'")"
expect 0 'complete and consistent' 'and it verifies' verify after.k
expect 0 '^ran$' '--for' record -q -o for.k --for 500ms -- "$paced" 1.2 3
holds 'nothing is recorded afterwards' for.k 'n > 100 AND b < 0.8'
expect 0 'complete and consistent' 'and it verifies' verify for.k
expect 0 '^ran$' 'both' record -q -o both.k --after 400ms --for 0.3s -- "$paced" 1.2 2
holds 'a window' both.k 'n > 100 AND a >= 0.4 AND b < 1.0'
expect 0 done 'across fork and exec' record -q -o forks.k --after 0.4 --for 0.5 -- \
	sh -c 'for i in 1 2 3 4 5 6 7; do ls >/dev/null; (exit 3); sleep .2; done; echo done'
expect 0 'complete and consistent' 'and it verifies' verify forks.k
expect 0 'ended before --after' 'a program that is over before' record -q -o none.k --after 1min -- true
[ ! -e none.k ]
result 'leaves no file' $?

# --- who
expect 0 '' '--only' record -q -o only.k --only ls,nobody -- sh -c 'ls >/dev/null; "$0" .01 1; ls >/dev/null' "$paced"
is 'only these' '2 ls ls' "$(query only.k "SELECT count(*) || ' ' || group_concat(replace(exe, rtrim(exe, replace(exe, '/', '')), ''), ' ') FROM process")"
expect 0 '' '--only: the name it was called by' record -q -o link.k --only other -- sh -c 'ln -s "$0" other; ./other .01 1' "$paced"
is 'is found' 1 "$(query link.k 'SELECT count(*) FROM process')"
expect 7 'no program of --only=nobody' 'nobody of that name' record -q -o none.k --only nobody -- sh -c 'exit 7'

# --- how much
# On a busy machine the recorder may not come to look at its file for long; then the spool's size counts.
# The program goes on until one of the two is beyond doubt.
begin=$(date +%s.%N)
"$kalloscope" record -q -o large.k --max-size 1M -- "$paced" 100 1 >out 2>err &
recording=$!
while kill -0 $recording 2>/dev/null && [ "$(stat -c %s large.k.spool/spool 2>/dev/null || echo 0)" -lt 2097152 ] &&
	! "$kalloscope" info --json large.k 2>/dev/null | grep -q '"truncated"'; do
	sleep .2
done
seen=$(echo "$(date +%s.%N) $begin" | awk '{print $1 - $2}')
sleep 3
kill $recording # which reaches the program
wait $recording
is '--max-size: the program goes on' 143 $?
holds 'nothing is recorded afterwards' large.k "n > 100 AND b < $seen + 2"
expect 1 'max-size was reached' 'verify says so' verify large.k
expect 0 'CUT SHORT .*max-size was reached' 'info says so' info large.k

# --- wrong words
expect 2 'not a value' '--after nonsense' record --after soon -- true
expect 2 'not a value' '--for 0' record --for 0 -- true
expect 2 'not a value' '--only with a folder' record --only /bin/ls -- true
expect 2 'not a value' '--max-size too small' record --max-size 10 -- true

# --- marks
expect 0 '^ran$' 'marks of a program that is only run' run -- "$paced" .05 1
is 'a program with marks runs alone' ran "$("$paced" .05 1)"
"$kalloscope" record -q -o marks.k -- "$paced" .2 2 >out 2>err
is 'marks are events, with their text beside them' 'begin: with a text longer than one record|end "quoted"' "$(query marks.k "
	SELECT group_concat(m.text, '|') FROM mark m JOIN events e ON e.id = m.event AND e.kind = 'mark'")"
is 'with their backtrace' main "$(query marks.k "SELECT DISTINCT s.function FROM events e JOIN stacks s USING (stack)
	WHERE e.kind = 'mark' AND s.function = 'main'")"
expect 0 '2 marks' 'report marks' report marks marks.k
expect 0 'end "quoted"' 'a mark is a moment' report marks --between mark:end end marks.k
is 'from it on' '77' "$("$kalloscope" report sites --json --top=0 --between 'mark:end "q' end marks.k | python3 -c '
import json, sys
print(*[s["bytes"] for s in json.load(sys.stdin)["sites"] if s["stack"][0]["function"] == "main"])')"
expect 2 "has no mark 'middle'" 'a mark nobody made' proc buddyinfo --at mark:middle marks.k
expect 0 'no mark\|0 marks' 'a recording without marks' report marks both.k
"$kalloscope" export -F perfetto marks.k >out 2>err && python3 "$include/../tests/export_check.py" valid out 2>>err
result 'the Perfetto trace of a program with marks and threads, by its rules' $?
is 'marks in the Perfetto trace' 2 "$("$kalloscope" export -F perfetto marks.k | grep -c '"ph":"i".*"s":"p"')"
if command -v c++ >/dev/null; then
	printf '#include <kalloscope.h>\nint main() { kalloscope_mark("from C++"); }\n' >mark.cc
	c++ -Wall -Wextra -Werror -O2 -I"$include" mark.cc -o mark && ./mark && "$kalloscope" record -q -o cxx.k -- ./mark
	is 'the header in C++' 'from C++' "$(query cxx.k 'SELECT text FROM mark')"
fi

if command -v cc >/dev/null; then
	cat >child.c <<-'EOF'
		#include <kalloscope.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(void)
		{
			kalloscope_mark("parent");
			if (!fork()) {
				kalloscope_mark("child");
				_exit(0);
			}
			wait(NULL);
			return 0;
		}
	EOF
	cc -Wall -Wextra -Werror -O2 -I"$include" child.c -o child && "$kalloscope" record -q -o child.k -- ./child
	is 'a mark is its own event, in a child too' '1:parent|2:child' "$(query child.k "
		SELECT group_concat(e.process || ':' || m.text, '|') FROM mark m JOIN events e
			ON e.id = m.event AND e.process = m.process AND e.kind = 'mark'")"
fi

# --- pools of the program's own
is 'a program with pools runs alone' 0 "$("$build/tests/programs/pools")"
expect 0 '^2$' 'pools of a program that is only run' run -- "$build/tests/programs/pools"
expect 0 '^2$' 'a program with pools' record -q -o pools.k -- "$build/tests/programs/pools"
is 'pools are events' 'pool_alloc:110:14000 pool_create:2:0 pool_destroy:1:0 pool_free:25:0' "$(query pools.k "
	SELECT group_concat(t, ' ') FROM (SELECT kind || ':' || count(*) || ':' || sum(req) t FROM events
	WHERE path = 'own_pool' AND process = 1 GROUP BY kind ORDER BY kind)")"
is 'with the name of their pool' 'nodes scratch' "$(query pools.k "
	SELECT group_concat(cache, ' ') FROM (SELECT DISTINCT cache FROM events WHERE kind = 'pool_alloc' ORDER BY 1)")"
is 'with their backtrace' 'kalloscope_pool_alloc take_node main' "$(query pools.k "SELECT group_concat(s.function, ' ') FROM events e JOIN stacks s USING (stack)
	WHERE e.id = (SELECT min(id) FROM events WHERE kind = 'pool_alloc') AND s.depth < 2")"
is 'frees find what they end' '25 25 25' "$(query pools.k "SELECT count(*) || ' ' || sum(a.addr = f.addr) || ' ' || sum(a.kind = 'pool_alloc')
	FROM events f JOIN events a ON a.id = f.ref WHERE f.kind = 'pool_free'")"
is 'nodes lie in their block' 100 "$(query pools.k "SELECT count(*) FROM events e, (SELECT addr, req FROM events WHERE req = 8000) m
	WHERE e.process = 1 AND e.kind = 'pool_alloc' AND e.cache = 'nodes' AND e.addr BETWEEN m.addr AND m.addr + m.req - 40")"
is 'a forked child has the pools of its parent' 'nodes 5' "$(query pools.k "
	SELECT cache || ' ' || count(*) FROM events WHERE process = 2 AND kind = 'pool_alloc'")"
pools=$("$kalloscope" report pools --json pools.k)
is 'report pools' 'nodes 100 4000 25 75 3000 4000  scratch 10 10000 0 0 0 10000 destroyed' "$(echo "$pools" | python3 -c '
import json, sys
print(*("%(pool)s %(calls)d %(bytes)d %(frees)d %(live_count)d %(live_bytes)d %(peak_bytes)d %(state)s" % p
	for p in sorted(json.load(sys.stdin)["pools"], key=lambda p: p["pool"])))')"
is 'and by site' 'take_node 100 scratch 10' "$(echo "$pools" | python3 -c '
import json, sys
print(*("%s %d" % (s["stack"][1]["function"], s["calls"]) for s in sorted(json.load(sys.stdin)["sites"], key=lambda s: s["pool"])))')"
is 'blocks of pools are no memory of their own' "$(query pools.k "SELECT sum(req) FROM events WHERE process = 1 AND kind = 'malloc'")" \
	"$(query pools.k 'SELECT sum(bytes) FROM stack_stat WHERE process = 1')"
expect 0 'complete and consistent' 'and it verifies' verify pools.k
expect 0 '0 pools' 'a recording without pools' report pools marks.k
if command -v c++ >/dev/null; then
	printf '#include <kalloscope.h>\nint main() { char b[8]; kalloscope_pool p = kalloscope_pool_create("C++"); kalloscope_pool_alloc(p, b, 8); kalloscope_pool_free(p, b); kalloscope_pool_destroy(p); }\n' >pool.cc
	c++ -Wall -Wextra -Werror -O2 -I"$include" pool.cc -o pool && ./pool && "$kalloscope" record -q -o cxxpool.k -- ./pool
	is 'pools in C++, on the stack' 'C++ 1' "$(query cxxpool.k "SELECT cache || ' ' || (ref > 0) FROM events WHERE kind = 'pool_free'")"
fi

# --- caches of call sites
"$kalloscope" record -q -o sites.k --site-threshold=100 -- "$build/tests/programs/budget" 300 10 0 >out 2>err
is "a site's hundredth call is the first from its own cache, however calls are served" 'kmalloc 99|slab 201' "$(query sites.k "
	SELECT group_concat(x, '|') FROM (SELECT path || ' ' || count(*) x FROM events WHERE req = 1000 GROUP BY path ORDER BY path)")"

# --- pack
expect 0 'marks.k.zst' 'pack' pack marks.k
expect 2 'is packed; first: kalloscope unpack' 'a packed recording says so' info marks.k.zst
expect 2 'exists.*--force' 'pack does not overwrite' pack marks.k
expect 0 'again.k' 'unpack' unpack -o again.k marks.k.zst
cmp -s marks.k again.k
result 'it is the same' $?
[ "$(stat -c %s marks.k.zst)" -lt $(($(stat -c %s marks.k) / 2)) ]
result 'and was less than half as large' $?
if command -v zstd >/dev/null; then
	zstd -q -d -c marks.k.zst | cmp -s - marks.k
	result 'zstd unpacks it, too' $?
fi
head -c 20000 marks.k.zst >torn.zst
expect 1 'ends in the middle' 'a torn packed file' unpack torn.zst
[ ! -e torn ] && [ ! -e torn.part ]
result 'leaves nothing behind' $?
expect 2 'is not packed' 'unpack what is not packed' unpack marks.k
expect 2 'No such file' 'pack what is not there' pack nothing.k
cp marks.k open.k && sqlite3 open.k "UPDATE meta SET value = 0 WHERE key = 'complete'"
expect 2 'still written' 'pack an unfinished recording' pack open.k

echo "1..$n"
exit $failed
