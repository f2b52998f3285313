#!/bin/sh
# kalloscope diff and check: known differences of a program that allocates what it is told, the order
# of regressions, conditions and budgets with their exit status, wrong words.
#   tests/diff.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: diff.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-diff.XXXXXX")
trap 'rm -rf "$folder"' EXIT
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD COLUMNS
export LC_ALL=C.UTF-8

# json PYTHON NAME ARGUMENTS...: the expression holds of the comparison d; f its figures by name.
json() {
	expression=$1 name=$2
	shift 2
	"$kalloscope" "$@" --json >out 2>err </dev/null
	python3 -c "
import json
d = json.load(open('out'))
f = {x['figure']: (x['before'], x['after']) for x in d.get('figures', [])}
sites = [(s['stack'][0]['function'], s['change']) for s in d.get('sites', [])]
assert ($expression), (f, sites)" 2>>err
	result "$name" $?
}

record() {
	file=$1
	shift
	"$kalloscope" record -q -o "$file" --cpus=1 -- "$build/tests/programs/budget" "$@" >out 2>err
	result "record $file" $?
}
record old.k 3 50000 100
record same.k 3 50000 100
record leak.k 10 50000 100
record big.k 3 2000000 100
record twice.k 3 50000 203

# --- figures
json "f.keys() <= {'duration_ns'} and not sites" 'the same program does not differ' diff old.k same.k
json "f['leaked_bytes'] == (3000, 10000) and f['leaked_count'] == (3, 10) and f['peak_bytes'] == (53064, 60064)
	and f['allocations'] == (104, 111)" 'leaks: the figures' diff old.k leak.k
json "sites == [('leak_here', 7000)]" 'leaks: the site' diff --measure live old.k leak.k
json "sites == [('leak_here', -7000)]" 'leaks mended' diff --measure live leak.k old.k
json "f['peak_bytes'] == (53064, 2003064) and sites[0] == ('hold', 1950000)" 'the peak' diff old.k big.k
json "sites[0] == ('hold', 1950000) and sites[-1] == ('leak_here', -7000) and len(sites) == 2" \
	'what got worse stands first' diff leak.k big.k
json "[x['figure'] for x in d['figures']][-1] == 'duration_ns' and
	[x['change_percent'] for x in d['figures'][:-1]] == sorted([x['change_percent'] for x in d['figures'][:-1]], reverse=True)" \
	'figures: worst first, the clock last' diff old.k leak.k
json "f['temporary'] == (100, 203)" 'temporary' diff --measure temporary old.k twice.k
json "f['temporary'] == (100, 203 * 104 / 207) and sites == [('churn', 203 * 104 / 207 - 100)]" \
	'--normalise: to the same number of allocations' diff --normalise --measure temporary old.k twice.k
json "sites == [('churn', 103)]" '--measure calls' diff --measure calls old.k twice.k

# --- a rebuilt program: addresses and suffixes of the compiler do not matter
cp old.k rebuilt.k
sqlite3 rebuilt.k "UPDATE frame SET function = function || '.constprop.0', line = line + 7 WHERE function = 'churn';
	UPDATE address SET ip = ip + 4096, offset = offset + 4096"
json "not sites" 'a rebuilt program has the same sites' diff --measure calls old.k rebuilt.k
sqlite3 rebuilt.k "UPDATE frame SET function = 'other' WHERE function = 'leak_here'"
json "sites == [('other', 3), ('leak_here', -3)] and [s['seen'] for s in d['sites']] == ['new', 'gone']" \
	'a renamed site is new, the old one gone' diff --measure calls old.k rebuilt.k

# --- conditions
expect 1 "MET: --fail-if 'leaked_bytes>+1%': 2.93 KiB -> 9.77 KiB" 'a condition that is met' diff --fail-if 'leaked_bytes>+1%' old.k leak.k
expect 0 'not met' 'one that is not' diff --fail-if 'leaked_bytes>+1%' old.k same.k
expect 0 'not met' 'just as much is not more' diff --fail-if 'leaked_count>+7' old.k leak.k
expect 1 'MET' 'a difference' diff --fail-if 'leaked_count>=+7' old.k leak.k
expect 1 'MET' 'an absolute value' diff --fail-if 'peak_bytes > 1M' old.k big.k
expect 1 'MET' 'one of several' diff --fail-if 'peak_bytes>1M' --fail-if 'lost>0' old.k big.k
expect 1 'MET' 'from nothing, everything is more' diff --fail-if 'spills>=+0' old.k leak.k
json "[c['met'] for c in d['fail_if']] == [False, True]" 'conditions as JSON' \
	diff --fail-if 'lost>0' --fail-if 'leaked_count!=3' old.k leak.k
expect 2 'expected FIGURE OPERATOR VALUE' 'a condition that is none' diff --fail-if leaked old.k leak.k
expect 2 "did you mean 'leaked_bytes'? There are: peak_bytes" 'an unknown figure' diff --fail-if 'leaked_byte>1' old.k leak.k
expect 2 'not a value' 'a value that is none' diff --fail-if 'leaked_bytes>+many' old.k leak.k
expect 2 'is no share' 'a percentage of nothing' diff --fail-if 'peak_bytes>5%' old.k leak.k
expect 2 'too few operands' 'one recording' diff old.k
expect 2 'No such file' 'a recording that is not there' diff old.k none.k
expect 2 'no process 4' 'a process that is not there' diff -p 4 old.k leak.k
expect 2 'there are: peak bytes calls' 'an unknown measure' diff -m xyzzy old.k leak.k

# --- budgets
expect 0 '^ok  *leaked_count==3' 'budgets that are kept' check old.k -r 'leaked_count==3' -r 'peak_bytes<=53064' -r 'lost==0'
expect 1 '^BROKEN  *peak_bytes<52K  *51.8 KiB\|^BROKEN  *peak_bytes<51K' 'one that is broken' check old.k -r 'leaked_count==3' -r 'peak_bytes<51K'
expect 0 'ok' 'a share' check old.k -r 'temporary_share<97%' -r 'temporary_share>96'
expect 0 'ok' 'nothing failed' check old.k -r 'failed_order<0' -r 'spills==0' -r 'events<400'
json "d['broken'] == 1 and [(r['figure'], r['kept'], r['value']) for r in d['rules']] ==
	[('leaked_bytes', False, 3000.0), ('allocations', True, 104.0)]" 'budgets as JSON' check -r 'leaked_bytes==0' -r 'allocations==104' old.k
printf 'leak:leak_here\n' >mine.supp
expect 0 'ok' 'with suppressions' check old.k -s mine.supp -r 'leaked_count==0'
expect 2 'none.supp' 'suppressions that are not there' check old.k -s none.supp -r 'leaked_count==0'
expect 0 'peak_bytes *most bytes alive' 'the figures there are' check -r list
expect 2 'no --rule' 'no rule' check old.k
expect 2 'a change needs another recording' 'a change of nothing' check old.k -r 'peak_bytes<+1%'
expect 2 'no operand' 'no recording' check -r 'lost==0'
"$kalloscope" record -q -o failing.k --fail --ram=64M -- "$build/tests/programs/budget" 1 90000000 1 >out 2>err
expect 1 'BROKEN  *failed_order<10  *15' 'the highest order that failed' check failing.k -r 'failed_order<10'
cp old.k torn.k && sqlite3 torn.k "UPDATE meta SET value = 0 WHERE key = 'complete'"
expect 1 'is not complete' 'an unfinished recording keeps no budget' check torn.k -r 'lost==0'
"$kalloscope" diff --top=0 old.k big.k 2>err | head -c 10 >out
[ ! -s err ]
result 'a closed pipe ends quietly' $?

echo "1..$n"
exit $failed
