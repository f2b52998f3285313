#!/bin/sh
# What kalloscope exports, read by the consumer's own parser where there is one and by the format's
# rules (export_check.py), with a known number surviving the trip; names no format expects; wrong
# words; closed pipes.
#   tests/export.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: export.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
tests=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-export.XXXXXX")
trap 'rm -rf "$folder"' EXIT
subject=export
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD COLUMNS
export LC_ALL=C.UTF-8
python=python3 # Debian's, which sees Debian's packages
[ -x /usr/bin/python3 ] && python=/usr/bin/python3

formats="ftrace folded speedscope pprof massif perfetto csv openmetrics svg"
"$kalloscope" record -q -o known.k -- "$build/tests/programs/known" >out 2>err
result 'record a known program' $?

# --- by the rules of the formats
for f in $formats; do
	"$kalloscope" export -F $f -o known.$f known.k >out 2>err &&
		$python "$tests/export_check.py" $f known.$f >>out 2>>err
	result "$f: its rules and the known numbers" $?
	"$kalloscope" export -F $f known.k 2>err | cmp -s - known.$f
	result "$f: the same on standard output" $?
done

"$kalloscope" record -q -o failing.k --ram=64M --fail -- perl -e '$x = "a" x 2e8' >out 2>err
"$kalloscope" export -F perfetto -o failing.json failing.k && $python "$tests/export_check.py" valid failing.json >out 2>err &&
	grep -q '"ph":"i",.*"tid":[1-9].*"s":"t"' failing.json
result 'perfetto: calls that failed are instants' $?

# --- by the consumers' own parsers
if command -v ms_print >/dev/null; then
	ms_print known.massif >out 2>err && grep -q '10,485,860 *10,485,860' out &&
		grep -q '^->100.00% (10,485,760B) 0x0: main' out
	result 'ms_print: peak and tree' $?
fi
flamegraph=$(command -v flamegraph.pl || command -v flamegraph || ls /usr/share/perl5/Devel/NYTProf/flamegraph.pl 2>/dev/null)
if [ -n "$flamegraph" ]; then
	perl "$flamegraph" known.folded >out 2>err && grep -q '10,485,860 samples, 100.00%' out
	result 'flamegraph.pl: the total' $?
fi
if command -v go >/dev/null; then
	go tool pprof -unit=B -top known.pprof >out 2>err && grep -q '^ *10485760B *100% .* main$' out
	result 'go tool pprof: who held the peak' $?
	go tool pprof -sample_index=alloc_objects -top known.pprof >out 2>err &&
		grep -q '^ *10 *71.43% .* make_node$' out
	result 'go tool pprof: ten of fourteen' $?
fi
if command -v promtool >/dev/null; then
	promtool check metrics <known.openmetrics >out 2>err
	result 'promtool: check metrics' $?
fi
if command -v xmllint >/dev/null; then
	xmllint --noout known.svg >out 2>err
	result 'xmllint: the flame graph' $?
fi
# What make consumers fetched as npm packages: speedscope, whose importer is a page, and DuckDB.
modules=$build/consumers/node_modules
if [ -d "$modules/speedscope" ] && command -v chromium >/dev/null; then
	{ printf 'speedscope.loadFileFromBase64("known", "' && base64 -w 0 known.speedscope && printf '")'; } >page.js
	timeout 60 chromium --headless=new --no-sandbox --enable-unsafe-swiftshader --use-angle=swiftshader \
		--user-data-dir="$folder/chromium" --virtual-time-budget=8000 --allow-file-access-from-files --dump-dom \
		"file://$modules/speedscope/dist/release/index.html#localProfilePath=$folder/page.js&view=sandwich" \
		2>err | sed 's/<[^>]*>/ /g' | tr -s ' \n' ' ' >out
	grep -q 'bytes alive at the peak 10.00 MB .*allocations 14 .* 10.00 MB (&gt;99%) 10.00 MB (&gt;99%) main' out
	result 'speedscope: its profiles, and who held the peak' $?
fi
if [ -d "$modules/@duckdb/node-api" ]; then
	cat >duck.cjs <<-'EOF'
		const { DuckDBInstance } = require("@duckdb/node-api");
		(async () => {
			const db = await (await DuckDBInstance.create(":memory:")).connect();
			const table = "read_csv('known.csv') WHERE kind IN ('malloc', 'calloc', 'realloc')";
			for (const what of ["typeof(addr), typeof(req), typeof(kind)", "count(*), sum(req)"]) {
				const read = await db.runAndReadAll(`SELECT ${what} FROM ${table} GROUP BY ALL`);
				console.log(...read.getRowsJson()[0]);
			}
		})();
	EOF
	NODE_PATH=$modules node duck.cjs >out 2>err
	is 'DuckDB: types, calls and bytes' "BIGINT BIGINT VARCHAR
$("$kalloscope" sql -n known.k "SELECT count(*) || ' ' || sum(req) FROM events WHERE kind IN ('malloc', 'calloc', 'realloc')")" \
		"$(cat out)"
fi

# --- what is chosen
is '--measure calls' 14 "$("$kalloscope" export -F folded -m calls known.k | awk '{n += $NF} END {print n}')"
is '--measure live' 100 "$("$kalloscope" export -F folded -m live known.k | awk '{n += $NF} END {print n}')"
is '--measure live-count' 1 "$("$kalloscope" export -F folded -m live-count known.k | awk '{n += $NF} END {print n}')"
is '--filter' 4000 "$("$kalloscope" export -F folded -m bytes --filter make_table known.k | awk '{n += $NF} END {print n}')"
table=$("$kalloscope" sql -n known.k "SELECT id FROM events WHERE kind = 'calloc'")
is '--between' 4000 "$("$kalloscope" export -F folded --between "$table" "$table" known.k | awk '{n += $NF} END {print n}')"
is '--between: ftrace' 1 "$("$kalloscope" export --between "$table" "$table" known.k | grep -c ' kmalloc: .*bytes_req=4000 ')"
is '--filter: ftrace' '0 10' "$("$kalloscope" export --filter make_node known.k |
	awk '/bytes_req=4000/ {a++} /bytes_req=100 /  {b++} END {print a + 0, b}')"
is '--at: openmetrics of the booted machine has more free' yes "$(
	free() { sed -n 's/^kalloscope_zone_free_pages{zone="Normal"} //p'; }
	a=$("$kalloscope" export -F openmetrics --at 1 known.k | free)
	b=$("$kalloscope" export -F openmetrics --at "$((table + 1))" known.k | free)
	[ "$a" -gt "$b" ] && echo yes || echo "$a $b")"

# --- names that no format expects: quotes, controls, separators, broken UTF-8, markup
cp known.k odd.k
sqlite3 odd.k "UPDATE frame SET function = CAST(x'6d616b655f3c6e3e3b2c225c0107080a0d09ff80c3e4267d5d5d3e' AS TEXT)
	WHERE function = 'make_node';
	UPDATE frame SET file = CAST(x'2f612f22c328' || file AS TEXT) WHERE function IS NOT NULL;
	UPDATE thread SET name = CAST(x'01ff22' AS TEXT);
	UPDATE process SET exe = CAST(x'2f78ff0a22' AS TEXT), argv = CAST(x'22ff5c01' AS TEXT)"
for f in $formats; do
	"$kalloscope" export -F $f -m calls -o odd.$f odd.k >out 2>err ||
		"$kalloscope" export -F $f -o odd.$f odd.k >out 2>err
	status=$?
	case $f in ftrace | csv) ;; *) $python "$tests/export_check.py" valid odd.$f >>out 2>>err || status=1 ;; esac
	result "$f: odd names" $status
done
is 'folded: an odd name stays one frame of one line' 10 "$(awk -F';' '/build/ {split($NF, a, " "); print a[length(a)]}' odd.folded)"
for r in sites peak leaks sizes lifetimes temporary threads slab pressure fragmentation summary storage; do
	"$kalloscope" report $r --json odd.k >out 2>err && $python -c 'import json; json.load(open("out", encoding="utf-8"))' 2>>err
	result "report $r --json: odd names" $?
done
"$kalloscope" sql --json odd.k 'SELECT function, file FROM stacks' >out 2>err &&
	$python -c 'import json; json.load(open("out", encoding="utf-8"))' 2>>err
result 'sql --json: odd names' $?

# --- nothing to say, said in words
expect 0 'no stack has that' 'a filter nobody matches' -F folded --filter xyzzy known.k
expect 0 'did nothing between these moments' 'an empty range' -F folded --between 100000 200000 known.k
"$kalloscope" record -q -o bare.k --frames=0 -- "$build/tests/programs/known" >out 2>err
expect 0 '^(no stack) 14' 'a recording without stacks' -F folded -m calls bare.k
expect 0 'the recording has no stacks' 'a filter of a recording without stacks' -F folded --filter main bare.k
for f in $formats; do
	"$kalloscope" export -F $f -o bare.$f bare.k >out 2>err
	result "$f: without stacks" $?
done

# --- wrong words
expect 2 "did you mean 'folded'? There are: ftrace folded" 'a format nearly right' -F foldd known.k
expect 2 'there are: ftrace folded speedscope' 'a format far from all' -F xyzzy known.k
expect 2 'there are: peak bytes' 'an unknown measure' -F folded -m xyzzy known.k
expect 2 'has no choice of figure' 'a measure that does not apply' -F massif -m calls known.k
expect 2 'of the whole process' 'a range that does not apply' -F massif --between 1 2 known.k
expect 2 'takes no --between' 'the peak of a range' -F folded -m peak --between 1 2 known.k
expect 2 'only openmetrics' 'a moment that does not apply' -F folded --at 3 known.k
expect 2 'no process 9' 'no such process' -p 9 known.k
expect 2 'cannot write' 'no such folder' -o no/such/folder known.k
expect 1 'No space left' 'a full disk' -F csv -o /dev/full known.k

# --- a reader that goes away
"$kalloscope" record -q -o churn.k -- "$build/tests/programs/churn" 2 4000 3 >out 2>err
for f in $formats; do
	"$kalloscope" export -F $f churn.k 2>err | head -c 10 >out
	is "$f: a closed pipe ends quietly" '' "$(cat err)"
done

echo "1..$n"
exit $failed
