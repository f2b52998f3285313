#!/bin/sh
# The reports of kalloscope: what they say about a program whose every allocation is known, about
# threads and about a compiler; text that fits, JSON that parses, wrong words.
#   tests/report.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: report.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
include=$(cd "$(dirname "$0")/../preload" && pwd)
programs=$(cd "$(dirname "$0")/programs" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-report.XXXXXX")
trap 'rm -rf "$folder"' EXIT
subject=report
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD COLUMNS
export LC_ALL=C.UTF-8

# json PYTHON NAME REPORT-ARGUMENTS...: the expression holds of the report d.
json() {
	expression=$1 name=$2
	shift 2
	"$kalloscope" report --json "$@" >out 2>err </dev/null &&
		python3 -c "
import json, sys
d = json.load(open('out'))
assert ($expression)" 2>>err
	result "$name" $?
}

query() { "$kalloscope" sql -n "$1" "$2"; }
record() {
	file=$1
	shift
	"$kalloscope" record -o "$file" -- "$@" >out 2>err </dev/null
	result "record $file" $?
}

record known.k "$build/tests/programs/known"
record churn.k "$build/tests/programs/churn" 4 3000 3
printf '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n' >hello.c
record gcc.k gcc -O1 hello.c -o hello

record misuse.k "$build/tests/programs/misuse"

# --- wrong words
expect 2 "did you mean 'sites'" 'a wrong name names the nearest' sits known.k
expect 2 'there are: sites peak' 'a name far from all lists them' xyzzy known.k
expect 2 "did you mean '--filter'" 'a wrong option names the nearest' sites --fliter x known.k
expect 2 'not an event' 'a wrong moment' sites --between 1 later known.k
expect 2 'before the first' 'moments the wrong way round' sites --between 20 10 known.k
expect 2 'not an address' 'a wrong address' history zz known.k
expect 2 'not a number' 'a wrong number' sites --top=many known.k
expect 2 'no process 9' 'a process that is not there' sites --process 9 known.k
expect 2 'No such file' 'a file that is not there' sites none.k

# --- names a program may have: control characters, quotes, bytes that are no UTF-8
cat >odd.c <<'C'
#include <kalloscope.h>
#include <stdlib.h>
#include <sys/prctl.h>
int main(void)
{
	prctl(PR_SET_NAME, "t\001\377\"\\");
	void *volatile block = malloc(100);
	kalloscope_pool pool = kalloscope_pool_create("p\001\377\"\\");
	kalloscope_pool_alloc(pool, block, 10);
	kalloscope_mark("m\001\377\"\n\\");
	return 0;
}
C
odd=$(printf 'odd \001\033\377 "q" \\ name')
cc -I"$include" odd.c -o odd 2>err && mv odd "$odd"
record odd.k "./$odd" "$(printf 'arg\001\377\n"')"
block=$(query odd.k "SELECT printf('%x', addr) FROM events WHERE req = 100")
for r in sites peak leaks sizes lifetimes temporary threads slab pressure fragmentation "history $block" marks pools summary storage; do
	# shellcheck disable=SC2086
	"$kalloscope" report --json $r odd.k >out 2>err && python3 -c "
import json; json.loads(open('out', 'rb').read().decode('utf-8'))" 2>>err
	result "${r%% *}: JSON whatever the names" $?
	# shellcheck disable=SC2086
	"$kalloscope" report $r odd.k >out 2>err
	python3 -c "
import re
assert not re.search('[\0-\x09\x0b-\x1f\x7f]', open('out', 'rb').read().decode('utf-8'))" 2>>err
	result "${r%% *}: text fit for a terminal, too" $?
done
for c in 'info --json odd.k' 'check --json --rule peak_bytes>0 odd.k' 'diff --json odd.k odd.k' 'export -F speedscope odd.k' 'export -F perfetto odd.k'; do
	# shellcheck disable=SC2086
	"$kalloscope" $c >out 2>err && python3 -c "
import json; json.loads(open('out', 'rb').read().decode('utf-8'))" 2>>err
	result "${c%% odd*}: JSON whatever the names" $?
done
for t in process module mark pool stacks thread; do
	"$kalloscope" sql --json odd.k "SELECT * FROM $t LIMIT 50" >out 2>err && python3 -c "
import json; json.loads(open('out', 'rb').read().decode('utf-8'))" 2>>err
	result "sql --json: $t" $?
done

# --- nothing to answer, and why
"$kalloscope" record -o bare.k --frames=0 -- "$build/tests/programs/known" >out 2>err </dev/null
result 'record bare.k' $?
node=$(query known.k "SELECT printf('%x', addr) FROM events WHERE req = 100 LIMIT 1")
for r in sites peak leaks temporary; do
	expect 0 'its call sites cannot be told apart' "$r: of a recording without stacks" $r bare.k
done
for r in sites peak leaks sizes lifetimes temporary threads slab pressure "history $node" marks pools summary; do
	# shellcheck disable=SC2086
	expect 0 'finds nothing: the recording has no stacks' "${r%% *}: a filter where there are no stacks" $r --filter main bare.k
	# shellcheck disable=SC2086
	expect 0 'no stack has that' "${r%% *}: a filter nothing matches" $r --filter no_such_name known.k
done
expect 0 '(no stack)' 'sites of a recording without stacks' sites bare.k
for r in sites peak leaks sizes lifetimes temporary threads slab pressure fragmentation "history $node" marks pools summary; do
	# shellcheck disable=SC2086
	expect 0 'did nothing between these moments' "${r%% *}: a time in which nothing happened" $r --between 999990 999999 known.k
done
for r in 'fragmentation --filter=x' 'storage --filter=x' 'storage --between 1 end' 'sites --at=5' 'sizes --bottom-up' 'summary --top-down' \
	'peak --suppressions=x'; do
	# shellcheck disable=SC2086
	expect 2 "^kalloscope report: ${r%% *} takes no --" "an option that says nothing to it: $r" $r known.k
done
for r in sites peak leaks sizes lifetimes temporary threads slab pressure fragmentation "history $node" marks pools summary storage; do
	# shellcheck disable=SC2086
	{ "$kalloscope" report --top=0 $r gcc.k; echo $? >status; } 2>err | true
	is "${r%% *}: a closed pipe ends quietly" '' "$(cat err)"
done

# --- a known program
json "[(s['calls'], s['bytes'], s['live_bytes']) for s in d['sites']
	if s['stack'][0]['function'] == 'make_node'] == [(10, 1000, 100)]" \
	'sites: ten nodes, one of them alive' sites known.k
json "sum(s['calls'] for s in d['sites']) == 14" 'sites: all allocations' sites --top=0 known.k
json "[s['function'] for s in d['sites'][0]['stack'][:3]] == ['make_node', 'build', 'main']" \
	'sites: the stack' sites known.k
expect 0 ' < build < main$' 'sites: callers end at main' sites known.k
json "len(d['sites']) == 1 and d['sites'][0]['stack'][0]['function'] == 'make_table'" \
	'--filter leaves the stacks that have a name' sites --filter MAKE_TABLE known.k
json "d['sites'] == []" '--filter with a name nobody has' sites --filter xyzzy known.k
table=$(query known.k "SELECT id FROM events WHERE kind = 'calloc'")
json "[(s['calls'], s['bytes'], s['live_bytes']) for s in d['sites']] == [(1, 4000, 4000)]" \
	'--between counts what the window made' sites --between "$table" "$table" known.k
json "[s['function'] for s in d['sites'][0]['stack'][:2]] == ['make_table', 'main']" \
	'--between: the stack' sites --between "$table" "$table" known.k
json "d['peak_bytes'] == 10 * 1048576 + 100 and d['tree'][0]['function'] == 'main' and
	d['tree'][0]['bytes'] == 10 * 1048576" 'peak: the large mapping, called from main' peak known.k
json "len(d['tree']) == 1 and d['tree'][0]['bytes'] == d['peak_bytes'] and
	[c['function'] for c in d['tree'][0]['children']] == ['build']" \
	'peak: top-down begins at main' peak --top-down known.k
json "d['peak_bytes'] == 10 * 1048576 + 100 and d['tree'][0]['bytes'] == 10 * 1048576" \
	'peak of all events is the peak' peak --between 1 end known.k
big=$(query known.k "SELECT id FROM events WHERE kind = 'mmap' AND req = 10485760")
json "d['peak_bytes'] == $(query known.k "SELECT max(s) FROM (SELECT e.id, sum(CASE WHEN kind IN ('free', 'munmap') THEN 0 ELSE req END
	- ifnull((SELECT a.req FROM event a WHERE a.rowid = e.ref), 0)) OVER (ORDER BY id) s FROM events e WHERE id < $big)") and
	d['peak_bytes'] == sum(t['bytes'] for t in d['tree']) and d['peak_event'] < $big" \
	'peak: before the large mapping' peak --between 1 $((big - 1)) known.k
json "[(t['function'], t['calls']) for t in d['tree']] == [('main', 14)] and
	{c['function']: c['calls'] for c in d['tree'][0]['children']}['build'] == 10" 'sites as a tree from main' sites -d known.k
json "{t['function']: t['calls'] for t in d['tree']}['make_node'] == 10 and sum(t['calls'] for t in d['tree']) == 14" \
	'sites as a tree from the sites' sites --bottom-up known.k
json "[(t['function'], t['bytes'], [c['function'] for c in t['children']]) for t in d['tree']] ==
	[('make_node', 100, ['build'])]" 'leaks as a tree' leaks -u known.k
json "sum(t['temporary'] for t in d['tree']) == sum(s['temporary'] for s in $("$kalloscope" report temporary --json --top=0 known.k |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["temporary"])'))" 'temporary as a tree' temporary -d known.k
json "d['count'] == 1 and d['bytes'] == 100 and d['leaks'][0]['stack'][0]['function'] == 'make_node'" \
	'leaks: the one that stays' leaks known.k
printf '# mine\n\nleak:^make_*de$\n' >known.supp
json "d['count'] == 0 and [(s['pattern'], s['count'], s['bytes']) for s in d['suppressed']] ==
	[('^make_*de\$', 1, 100)]" 'leaks: suppressed by a file' leaks -s known.supp known.k
printf 'leak:make_nod$\n' >other.supp
json "d['count'] == 1" 'leaks: a pattern that does not match' leaks -s other.supp known.k
printf 'race:x\n' >bad.supp
expect 2 'bad.supp:1: expected leak:PATTERN' 'leaks: a bad line is named' leaks -s bad.supp known.k
json "[(s['calls'], s['asked'], s['taken'], s['slack']) for s in d['sizes']
	if s['class'] == 'size-128'] == [(10, 1000, 1280, 280)]" 'sizes: slack of the nodes' sizes known.k
json "d['made'] == 14 and d['given_back'] == 13 and
	sum(b['blocks'] for b in d['events']) == 13" 'lifetimes: every block ends once' lifetimes known.k
json "sum(s['temporary'] for s in d['temporary']) > 0 and all(s['stack'][0]['function'] == 'main'
	for s in d['temporary'])" 'temporary: the mappings of main' temporary known.k
# Every figure of each report, as tests/programs/known.c does it: ten nodes of 100 bytes, nine given back in
# the order they were made; a table of 4000 bytes that grows to 200000; a page and 10 MiB mapped and unmapped.
json "(d['events'], d['allocations'], d['bytes'], d['sites'], d['failed'], d['peak_bytes'], d['live_count'], d['live_bytes'],
	d['lost'], d['temporary_share']) == (28, 14, 1000 + 4000 + 200000 + 4096 + 10485760, 5, 0, 10485860, 1, 100, 0, 0.214)" \
	'summary: all figures' summary known.k
json "sorted((s['stack'][0]['function'], s['calls'], s['bytes'], s['live_bytes'], s['temporary']) for s in d['sites']) ==
	[('main', 1, 4096, 0, 1), ('main', 1, 200000, 0, 1), ('main', 1, 10485760, 0, 1), ('make_node', 10, 1000, 100, 0),
	('make_table', 1, 4000, 0, 0)]" 'sites: all figures' sites known.k
json "[(s['temporary'], s['share'], s['bytes'], s['stack'][0]['line']) for s in d['temporary']] ==
	[(1, 1, 200000, $(grep -n 'LINE main_realloc' "$programs/known.c" | cut -d: -f1)), (1, 1, 4096, $(grep -n 'mmap(NULL, 4096' "$programs/known.c" | cut -d: -f1)),
	(1, 1, 10485760, $(grep -n 'mmap(NULL, 10 << 20' "$programs/known.c" | cut -d: -f1))]" 'temporary: all figures' temporary known.k
json "{s['class']: (s['calls'], s['asked'], s['taken'], s['slack']) for s in d['sizes']} == {'size-128': (10, 1000, 1280, 280),
	'size-4096': (1, 4000, 4096, 96), 'pages, order 6': (1, 200000, 262144, 62144), 'kmap to 4.00 KiB': (1, 4096, 4096, 0),
	'vmalloc to 16.0 MiB': (1, 10485760, 10485760, 0)}" 'sizes: all classes' sizes known.k
json "[(b['from'], b['below'], b['blocks']) for b in d['events']] == [(0, 10, 4), (10, 100, 9)] and
	sum(b['blocks'] for b in d['time_ns']) == 13 and d['made'] == 14 and d['given_back'] == 13" \
	'lifetimes: nine nodes live for ten events, four blocks for one' lifetimes known.k
json "[(t['events'], t['calls'], t['bytes'], t['largest'], t['frees']) for t in d['threads']] ==
	[(28, 14, 10694856, 10485760, 12)]" 'threads: all figures' threads known.k
json "d['bytes'] == d['count'] * 100 == 100 and d['suppressed'] == []" 'leaks: all figures' leaks known.k
for t in cache_alloc_refill:slab_refills cache_flusharray:slab_flushes cache_grow:slab_grows mm_page_alloc_zone_locked:buddy_allocations \
	mm_page_pcpu_drain:pcp_drains buddy_split:buddy_splits buddy_merge:buddy_merges mm_page_alloc_extfrag:fallbacks \
	vmap_area_purge:vmap_purges kmap_flushed:kmap_flushes; do
	query known.k "SELECT '${t#*:}', count(*), ifnull(sum(max(count, 1)), 0), ifnull(min(event), 0) FROM transitions WHERE kind = '${t%:*}'"
done | tr '\t' '|' | sort >wanted
"$kalloscope" report pressure --json known.k | python3 -c "
import json, sys
wanted = {line.split('|')[0] for line in open('wanted')}
for m in json.load(sys.stdin)['machine']:
	if m['what'] in wanted: print(m['what'], m['times'], m['count'], m['first_event'], sep='|')" | sort >out 2>err
is 'pressure: what the machine did, as the transitions have it' "$(cat wanted)" "$(cat out)"
"$kalloscope" report fragmentation --json --top=0 known.k | python3 -c "
import json, sys
for p in json.load(sys.stdin)['points']:
	print(p['event'], p['zone'], *('%.3f' % p[k] for k in ('unusable_order_2', 'unusable_order_4', 'unusable_order_7', 'unusable_order_10', 'extfrag_order_7', 'extfrag_order_10')))" >points
for event in $(cut -d' ' -f1 points | sort -un); do
	"$kalloscope" proc unusable_index,extfrag_index --at "$event" known.k | awk -v e="$event" '/==>/ {file = $2}
		/zone/ {zone = $4; if (file == "unusable_index") u[zone] = $7 " " $9 " " $12 " " $15
		else print e, zone, u[zone], $12, $15}'
done >wanted
is 'fragmentation: every point as the proc files have it' "$(sort wanted)" "$(sort points)"
for event in 11 20 end; do
	is "slab: caches as slabinfo has them at $event" \
		"$("$kalloscope" proc slabinfo --at $event known.k | awk 'NR > 2 && $3 {print $1, $2, $3, $5, $15}' | sort)" \
		"$("$kalloscope" report slab --json --top=0 --at $event known.k | python3 -c "
import json, sys
for c in json.load(sys.stdin)['caches']: print(c['name'], c['active'] + c['parked'], c['objects'], c['per_slab'], c['slabs'])" | sort)"
done
json "[c['active'] for c in d['caches'] if c['name'] == 'size-128'] == [1]" 'slab: the one node that stays' slab --top=0 known.k
node=$(query known.k "SELECT printf('%x', addr) FROM events WHERE req = 100 LIMIT 1")
json "[h['kind'] for h in d['history'][:2]] == ['malloc', 'free'] and
	d['history'][0]['req'] == 100" 'history: malloc and free of a node' history "$node" known.k
inner=$(query known.k "SELECT printf('%x', addr + 99) FROM events WHERE req = 100 LIMIT 1")
json "d['history'][0]['addr'] == '0x$node'" 'history: an address inside the block' history "$inner" known.k
json "d['peak_bytes'] == 10 * 1048576 + 100 and d['live_count'] == 1 and d['allocations'] == 14" \
	'summary' summary known.k
node_event=$(query known.k "SELECT max(id) FROM events WHERE req = 100")
json "[c['active'] for c in d['caches'] if c['name'] == 'size-128'][0] >= 10" \
	'slab: ten nodes in use at the last malloc' slab --at "$node_event" --top=0 known.k
is 'slab: waste and use make up the pages' '' "$("$kalloscope" report slab --json --top=0 known.k |
	python3 -c "
import json, sys
for c in json.load(sys.stdin)['caches']:
	if c['bytes'] - c['waste'] != c['active'] * c['object_size'] or c['objects'] != c['slabs'] * c['per_slab']:
		print(c['name'])")"

# --- threads
json "len(d['threads']) == 3 + (d['threads'][-1]['calls'] < 3000) and
	sum(t['events'] for t in d['threads']) == $(query churn.k 'SELECT count(*) FROM event')" \
	'threads: events add up' threads churn.k
json "{m['what']: m['times'] for m in d['machine']}['slab_refills'] ==
	$(query churn.k "SELECT count(*) FROM transitions WHERE kind = 'cache_alloc_refill' AND event > 0")" \
	'pressure: refills as the transitions have them' pressure churn.k

# --- how far a pass over all events is, on a terminal: every look at the clock is a second later
"$kalloscope" record -q -o long.k -- "$build/tests/programs/churn" 2 40000 1 >out 2>err </dev/null
result 'record long.k' $?
printf '#include <stdint.h>\nint64_t g_get_monotonic_time(void) { static int64_t t; return t += 1000000; }\n' >clock.c
cc -shared -fPIC clock.c -o clock.so 2>err
for r in sizes lifetimes threads 'sites --between 1 end' 'export -F perfetto'; do
	case $r in export*) command=$r ;; *) command="report $r" ;; esac
	# shellcheck disable=SC2086
	"$kalloscope" $command long.k >wanted 2>err
	# shellcheck disable=SC2086
	python3 - "$folder/clock.so" "$kalloscope" $command long.k >out 2>err <<'PY'
import os, pty, re, subprocess, sys
master, slave = pty.openpty()
p = subprocess.run(sys.argv[2:], stdout=subprocess.PIPE, stderr=slave, env=dict(os.environ, LD_PRELOAD=sys.argv[1]))
os.close(slave)
said = b""
try:
    while chunk := os.read(master, 4096):
        said += chunk
except OSError:
    pass
assert p.returncode == 0 and p.stdout == open("wanted", "rb").read(), "the answer itself"
assert re.fullmatch(rb"(\r\x1b\[Kkalloscope: 65,\d\d\d of 8\d,\d\d\d events\r\x1b\[K)+", said), said
PY
	result "$command: tells a terminal how far it is, and clears the line" $?
	LD_PRELOAD=$folder/clock.so "$kalloscope" $command long.k 2>&1 >out </dev/null | grep -q 'of 8.,... events'
	is "$command: tells nobody else" 1 $?
done

# --- the kernel's settings reach the machine; a debug kernel tells of writes after the free
"$kalloscope" record -o set.k --slab-tune=size-128:54:27:4 --slab-debug \
	--lowmem-reserve-ratio=128,16,16 --percpu-pagelist-fraction=8 \
	-- "$build/tests/programs/misuse" late >out 2>err </dev/null
result 'record set.k' $?
is 'settings: tunables' '54 27 4' \
	"$("$kalloscope" proc slabinfo set.k | awk '$1 == "size-128" {print $9, $10, $11}')"
is 'settings: a debug kernel keeps 32 objects at most' 32 \
	"$("$kalloscope" proc slabinfo set.k | awk '$1 == "size-64" {print $9}')"
"$kalloscope" proc zoneinfo set.k | grep -q 'batch: 96'
result 'settings: lists of an eighth of a zone' $?
json "[r['message'] for r in d['refused']] == ['Slab corruption']" \
	'a write after the free is told' pressure set.k
"$kalloscope" verify set.k >out 2>err
result 'settings: the recording verifies' $?

# --- more single pages than there are windows
record windows.k python3 -c 'import mmap
keep = [mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(1100)]
keep[0].close()
keep += [mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(9)]'
json "{m['what']: m['times'] for m in d['machine']}['kmap_waits'] == 2" \
	'pressure: where a kernel would wait for a window' pressure windows.k
is 'windows: all are used' 1024 "$(query windows.k "SELECT max(n) FROM (
	SELECT sum(CASE kind WHEN 'mmap' THEN 1 ELSE -1 END) OVER (ORDER BY id) AS n
	FROM events WHERE path = 'kmap' AND kind IN ('mmap', 'munmap'))")"
"$kalloscope" verify windows.k >out 2>err
result 'windows: the recording verifies' $?

# --- zones that run full: every crossing as zoneinfo has it, before and after
"$kalloscope" record -o low.k --ram=64M --cpus=1 -- perl -e 'for (1 .. 3) { my @x; push @x, "a" x 100000 for 1 .. 600 }' \
	>out 2>err </dev/null
result 'record low.k' $?
json "[w['fell'] for w in d['watermarks'] if w['zone'] == 'Normal'] == [0, 3, 3] and
	[w['fell'] for w in d['watermarks'] if w['zone'] == 'DMA'] == [0, 0, 0] and
	len(d['crossings']) == sum(w['fell'] + w['rose'] for w in d['watermarks'])" \
	'pressure: a zone falls below two of its watermarks, three times' pressure --top=0 low.k
# free and the marks of zone Normal at an event
normal() { "$kalloscope" proc zoneinfo --at "$1" low.k | awk '/zone +Normal/ {on = 1} on && /pages free/ {f = $3}
	on && $1 ~ /^(min|low|high)$/ {m[$1] = $2} on && $1 == "high" {print f, m["min"], m["low"], m["high"]; exit}'; }
"$kalloscope" report pressure --json --top=0 low.k | python3 -c "
import json, sys
for c in json.load(sys.stdin)['crossings']: print(c['event'], c['zone'], c['free'], c['direction'], c['watermark'])" >crossings
while read -r event zone free direction mark; do
	echo "$direction $mark $free $(normal $((event - 1))) $(normal "$event")"
done <crossings | awk '{ m = $2 == "min" ? 5 : $2 == "low" ? 6 : 7; before = $4 < $m ? "below" : "above"
	after = $8 < $m ? "below" : "above"; if (before == after || after != $1 || $3 != $8) {print; bad = 1} } END {exit bad}' >out
result 'pressure: each crossing is between two events of zoneinfo' $?
json "d['crossings'] == [] and all(w['least_free'] > w['pages'] for w in d['watermarks'])" \
	'pressure: a machine with room crosses nothing' pressure known.k
first=$(head -1 crossings | cut -d' ' -f1)
json "d['crossings'] == []" 'pressure: no crossing before the first' pressure --between 1 $((first - 1)) low.k
json "[c['event'] for c in d['crossings']] == [$first]" 'pressure: a window of one event' pressure --between "$first" "$first" low.k

# --- blocks whose place is known
for m in share pin; do
	"$kalloscope" record -o $m.k --cpus=1 -- "$build/tests/programs/places" $m >out 2>err </dev/null
	result "record $m.k" $?
done
"$kalloscope" sql share.k "SELECT e.id, e.thread, e.ref, e.addr, e.req, e.alloc, e.path IN ('kmalloc', 'slab'), e.kind
	FROM events e ORDER BY e.id" >events
beside=$(python3 -c "
live, times = {}, 0
for line in list(open('events'))[1:]:
	id, thread, ref, addr, req, alloc, small, kind = line.split()
	if int(ref or 0): live.pop(int(ref), None)
	if kind in ('free', 'munmap') or small != '1' or int(alloc) > 128: continue
	lines = set(range(int(addr) // 64, (int(addr) + int(alloc) - 1) // 64 + 1))
	times += any(t != thread and lines & l for t, l in live.values())
	live[int(id)] = thread, lines
print(times)")
json "sum(s['times'] for s in d['false_sharing']) == $beside and $beside >= 90 and
	all('in_turns' in [f['function'] for f in s['stack']] for s in d['false_sharing'])" \
	'slab: neighbours of two threads, as the events have them' slab share.k
json "d['false_sharing'] == []" 'slab: one thread shares with nobody' slab known.k
json "[(p['alone'], p['frames'] // 256) for p in d['pins'] if p['owner'] == 'pages'] == [(16, 16)] and d['pinned'] >= 16" \
	'fragmentation: a MiB in every fourth pins sixteen pageblocks' fragmentation pin.k
json "sum(p['alone'] for p in d['pins'] if p['owner'] == 'pages') <= 1" \
	'fragmentation: before they are freed they pin nothing' fragmentation --between 1 "$(query pin.k "
	SELECT min(id) - 1 FROM events WHERE kind = 'free' AND ref IN (SELECT id FROM events WHERE req = 1 << 20)")" pin.k

# --- misuse: told in the kernel's words, and the machine is whole
json "[r['message'] for r in d['refused']] == ['slab: double free detected in cache',
	'BUG: Bad page state', 'Trying to vfree() nonexistent vm area', 'BUG_ON(!PageSlab(page))',
	'BUG_ON(!PageSlab(page))', 'BUG: Bad page state', 'Trying to vfree() bad address']" \
	'pressure: what was refused' pressure misuse.k
json "all(r['stack'][0]['function'] == 'free_wrongly' for r in d['refused'])" \
	'pressure: who was refused' pressure misuse.k
is 'misuse: in the transitions' 7 \
	"$(query misuse.k "SELECT count(*) FROM transitions WHERE kind = 'misuse'")"
"$kalloscope" verify misuse.k >out 2>err
result 'misuse: the recording verifies' $?
json "d['refused'] == []" 'pressure: nothing refused' pressure known.k

# --- a compiler: several processes, thousands of stacks
busy=$(query gcc.k 'SELECT process FROM process ORDER BY events DESC LIMIT 1')
json "d['process'] == $busy" 'the process with most events' summary gcc.k
json "sum(s['calls'] for s in d['sites']) == $(query gcc.k "
	SELECT sum(calls) FROM stack_stat WHERE process = $busy")" 'sites: totals' sites --top=0 gcc.k
json "abs(sum(t['bytes'] for t in d['tree']) - $(query gcc.k "
	SELECT sum(peak_bytes) FROM stack_stat WHERE process = $busy")) == 0" \
	'peak: the tree holds all of it' peak --top=0 gcc.k
json "d['count'] + sum(s['count'] for s in d['suppressed']) == $(query gcc.k "
	SELECT sum(live_count) FROM stack_stat WHERE process = $busy")" \
	'leaks: reported and suppressed are all' leaks gcc.k
json "len({p['event'] for p in d['points']}) == 10 and
	all(0 <= p['unusable_order_10'] <= 1 for p in d['points'])" 'fragmentation: ten moments' fragmentation gcc.k
is 'fragmentation: as the proc file says' \
	"$("$kalloscope" proc unusable_index --at "$(query gcc.k "SELECT last_event FROM process WHERE process = $busy")" gcc.k |
		awk '/Normal/ {print $15}')" \
	"$("$kalloscope" report fragmentation gcc.k | awk '$2 == "Normal" {v = $6} END {print v}')"
json "d['events'] == $(query gcc.k 'SELECT count(*) FROM event_row') and
	d['bytes'] == $(stat -c %s gcc.k) and 0.95 * d['bytes'] <= sum(t['bytes'] for t in d['tables']) <= d['bytes']" 'storage: every byte has its table' storage --top 0 gcc.k
address=$(query gcc.k "SELECT printf('%x', addr) FROM events WHERE process = $busy AND kind = 'malloc'
	GROUP BY addr ORDER BY count(*) DESC LIMIT 1")
for r in sites peak leaks sizes lifetimes temporary threads slab pressure fragmentation history summary storage; do
	[ $r = history ] && operand=$address || operand=
	# shellcheck disable=SC2086
	for width in 80 132; do
		COLUMNS=$width "$kalloscope" report $r $operand gcc.k >out 2>err
		echo "$? $(wc -L <out)"
	done | awk -v f="$r" 'BEGIN {w[1] = 80; w[2] = 132} $1 != 0 || $2 > w[NR] {exit 1}'
	result "$r fits 80 and 132 columns" $?
	is "$r has no colour in a pipe" 0 "$(grep -c "$(printf '\033')" out)"
done

echo "1..$n"
exit $failed
