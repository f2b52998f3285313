#!/bin/sh
# Totals of the same programs by kalloscope's report, by SQL on the recording, and by heaptrack_print.
#   tests/bench/totals.sh BUILD
# heaptrack sees malloc and its kin, so SQL counts these for it; the report's figures are of mappings, too.
# heaptrack's are added up from what it recorded, for heaptrack_print rounds to three digits. Blocks of 72,704
# bytes are left out of both: libstdc++, of which heaptrack's library is made, asks for one in every program,
# and heaptrack frees them at the end. heaptrack knows blocks by size and stack alone: a call is temporary for
# it when one of its size and stack ends next, be it by realloc; "its way" is that in SQL. What may still
# differ: it begins some calls later; and what programs make of paths, times and addresses. Hashing is no
# such thing (PYTHONHASHSEED and PERL_HASH_SEED are 0), nor is where heaptrack's blocks lie (setarch -R: cc1
# has a table of 32,768 bytes for each 4 GiB of addresses its pages are in).
set -u
build=$(cd "${1:?usage: totals.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-totals.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD
export LC_ALL=C.UTF-8 PYTHONMALLOC=malloc PYTHONHASHSEED=0 PERL_HASH_SEED=0

cat >work.py <<'PY'
import json
d = [json.loads('{"id": %d, "tags": ["a%d", "b"]}' % (i, i % 97)) for i in range(3000)]
print(len(json.dumps(d)))
PY
cat >work.pl <<'PL'
my %h; for my $i (1 .. 20000) { push @{$h{$i % 97}}, "value $i"; }
print join(",", map { scalar @$_ } values %h), "\n";
PL
printf '#include <stdio.h>\nint main(int c, char **v) { for (int i = 0; i < c; i++) puts(v[i]); return 0; }\n' >hello.c
cc -E hello.c >hello.i
cc1=$(cc -print-prog-name=cc1)
git init -q repo && (cd repo && for i in 1 2 3 4 5 6 7 8; do
	seq $i $((i * 200)) >file$i && git add . && git -c user.name=a -c user.email=a@b commit -qm "change $i"; done)

sql() { "$kalloscope" sql -n "$1.k" "$2"; }
# The recording's own totals; `events` and the tables added up while recording must agree.
report() { "$kalloscope" report summary --json "$1.k" | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["allocations"])'; }
# What heaptrack recorded: calls, temporary ones, bytes not given back, peak.
cat >heap.py <<'PY'
import sys
size, calls, temporary, total, peak, last = [], 0, 0, 0, 0, None
for line in sys.stdin:
    f = line.split()
    if f[:1] == ["a"]:
        size.append(int(f[1], 16))
    if f[:1] not in (["+"], ["-"]) or size[int(f[1], 16)] == 72704:
        continue
    i = int(f[1], 16)
    if f[0] == "+":
        calls, total, last = calls + 1, total + size[i], i
        peak = max(peak, total)
    else:
        temporary, total, last = temporary + (last == i), total - size[i], None
print(calls, temporary, total, peak)
PY

printf '%-7s %-12s %12s %12s %12s %9s\n' program figure report SQL heaptrack difference
row() {
	difference=$(awk -v a="$4" -v b="$5" 'BEGIN {if (b > 0) printf "%+.2f %%", 100 * (a - b) / b; else printf "-"}')
	printf '%-7s %-12s %12s %12s %12s %9s\n' "$1" "$2" "$3" "$4" "$5" "$difference"
}
compare() {
	name=$1
	shift
	"$kalloscope" record -q --cpus=1 -o "$name.k" -- "$@" >/dev/null 2>&1 </dev/null || echo "$name: status $?"
	# raw, for heaptrack would open its window at the end
	setarch -R heaptrack --raw -o "$name.ht" "$@" >/dev/null 2>&1 </dev/null
	# shellcheck disable=SC2046
	set -- $(zstd -dc "$name.ht.raw.zst" | /usr/lib/heaptrack/libexec/heaptrack_interpret 2>/dev/null | python3 heap.py)
	p="(SELECT process FROM process ORDER BY events DESC LIMIT 1)"
	all="process = $p AND kind IN ('malloc', 'calloc', 'realloc', 'memalign', 'mmap', 'mremap') AND NOT flags & 4 AND addr"
	heap="process = $p AND kind IN ('malloc', 'calloc', 'realloc', 'memalign') AND NOT flags & 4 AND req != 72704"
	row "$name" 'all calls' "$(report "$name")" "$(sql "$name" "SELECT count(*) FROM events WHERE $all")" -
	row "$name" 'heap calls' - "$(sql "$name" "SELECT count(*) FROM events WHERE $heap")" "$1"
	row "$name" temporary "$(sql "$name" "SELECT sum(temporary) FROM stack_stat WHERE process = $p")" \
		"$(sql "$name" "SELECT count(*) FROM events f WHERE f.process = $p AND f.kind IN ('free', 'munmap') AND f.ref = f.id - 1")" -
	row "$name" 'its way' - "$(sql "$name" "SELECT count(*) FROM events f JOIN events a ON a.id = f.ref JOIN events e ON e.id = f.id - 1
		WHERE f.process = $p AND f.kind IN ('free', 'realloc') AND a.path != 'own_pool' AND a.req != 72704
		AND e.req = a.req AND e.stack = a.stack AND e.kind IN ('malloc', 'calloc', 'realloc', 'memalign')")" "$2"
	ended="WITH ended(id) AS MATERIALIZED (SELECT rowid - back FROM event WHERE back > 0)"
	row "$name" 'leaked bytes' - "$(sql "$name" "$ended SELECT sum(req) FROM events WHERE $heap AND id NOT IN (SELECT id FROM ended)")" "$3"
	row "$name" 'peak bytes' "$(sql "$name" "SELECT peak_bytes FROM process WHERE process = $p")" "$(sql "$name" "
		SELECT max(sum) FROM (SELECT sum(d) OVER (ORDER BY id) AS sum FROM (
			SELECT id, req AS d FROM events WHERE $heap UNION ALL
			SELECT f.id, -a.req FROM events f JOIN events a ON a.id = f.ref WHERE f.process = $p
				AND a.req != 72704 AND a.kind IN ('malloc', 'calloc', 'realloc', 'memalign')))")" "$4"
}
compare python /usr/bin/python3 work.py
compare perl /usr/bin/perl work.pl
compare cc1 "$cc1" -quiet -O2 hello.i -o hello.s
compare git git -C repo --no-pager log -p --stat
