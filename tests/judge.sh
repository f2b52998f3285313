#!/bin/sh
# Cached traces, and those of walks that ended at frames of an earlier walk, against libunwind:
# programs run under the judging build of the preload library (tests/judge.c); not one may differ.
#
#   tests/judge.sh BUILD [long]      TAP on stdout; with `long` every hit of the large programs
set -u
build=$(cd "${1:?usage: judge.sh BUILD [long]}" && pwd)
long=${2:+long}
top=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-judge.XXXXXX")
trap 'rm -rf "$top"' EXIT
cd "$top" || exit 1
# The command takes the library that stands beside it
mkdir preload
cp "$build/kalloscope" kalloscope
cp "$build/preload/libkalloscope-judge.so" preload/libkalloscope.so
export KALLOSCOPE_JUDGE_OUT="$top/verdict" PYTHONMALLOC=malloc LC_ALL=C PERL_HASH_SEED=0
n=0
failed=0

# judge EVERY LEAST COMMAND...: every EVERYth trace of the command's processes is judged, at least
# LEAST of them, 50 of walks; none may differ
judge() {
	export KALLOSCOPE_JUDGE_EVERY=$1
	least=$2
	shift 2
	n=$((n + 1))
	rm -f verdict
	./kalloscope record -q --force -o r.kalloscope -- "$@" >out 2>err
	status=$?
	calls=$(./kalloscope sql --csv r.kalloscope "SELECT count(*) FROM events WHERE stack != 0" | tail -n 1)
	if [ $status = 0 ] && [ -s verdict ] && awk -v least="$least" -v calls="$calls" -v name="$(basename "$1")" '
		{ hits += $2; judged += $4; partly += $6; different += $8; joined += $10 }
		END { printf "# %s: %d calls, %.1f %% of them hits; %d judged (%d in part, %d of walks to standing frames), %d differ\n",
			name, calls, 100 * hits / calls, judged, partly, joined, different
			exit different || judged < least || joined < 50 }' verdict; then
		echo "ok $n - $(basename "$1")"
	else
		echo "# exit status $status"
		head -40 err | sed 's/^/# /'
		echo "not ok $n - $(basename "$1")"
		failed=1
	fi
}

cat >work.py <<'PY'
import json, re
rows = [{"id": i, "name": f"row {i} " * 8, "values": [i * j for j in range(8)]} for i in range(600)]
assert json.loads(json.dumps(rows)) == rows
def deep(n): return [n] + (deep(n - 1) if n else [])
print(len(deep(60)), len(re.sub(r"(\d+)", lambda m: m.group(1) * 2, json.dumps(rows))), sorted(rows, key=lambda r: -r["id"])[0]["id"])
PY
cat >work.pl <<'PL'
my %h; $h{"key $_"} = [$_, "value " . $_ * 3] for 1 .. 4000;
sub deep { my $n = shift; return $n ? deep($n - 1) . "$n," : "" }
print scalar(keys %h), " ", length(deep(50)), " ", join("", map { s/e/EE/gr } sort keys %h) =~ tr/E//, "\n";
PL
echo 'int f(int n, const char *s) { int t = 0; for (int i = 0; i < n; i++) t += s[i % 7] * i; return t; }' >work.c

rounds=${long:+3000}
rounds=${rounds:-800}
for how in O0 O2 O2fp Osfp; do
	[ -x "$build/tests/programs/judged-$how" ] || continue
	judge 1 10000 "$build/tests/programs/judged-$how" "$rounds" "$build/tests/programs/libjudged24.so" "$build/tests/programs/libjudged40.so"
	grep -q 'before: 0 of' out && echo "# the modules were never at the same address"
done
every=${long:+1}
judge "${every:-7}" 5000 python3 work.py
judge "${every:-7}" 2000 perl work.pl
cc1=$(gcc -print-prog-name=cc1)
judge "${every:-3}" 1000 "$cc1" -quiet -O2 work.c -o work.s
judge 1 1000 bash -c 'for i in {1..300}; do a[i]="$i$(( i * i ))"; done; echo "${a[*]}" | sort | tail -1'
echo "1..$n"
exit $failed
