#!/bin/sh
# kalloscope top: a recording that is being written, one that is finished, on a terminal and without one.
#   tests/top.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: top.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-top.XXXXXX")
trap 'kill "$recording" 2>/dev/null; wait; rm -rf "$folder"' EXIT
recording=
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD COLUMNS
export LC_ALL=C.UTF-8

# --- wrong words
expect_of 2 'No such file' 'a file that is not there' "$kalloscope" top none.k
expect_of 2 'from 0.1 to 3600' 'an interval of nothing' "$kalloscope" top --interval 0 none.k
expect_of 2 "did you mean '--once'" 'a wrong option' "$kalloscope" top --onse none.k

# --- a finished recording
"$kalloscope" record -q -o known.k -- "$build/tests/programs/known" >out 2>err
expect_of 0 ' 14 allocations; .* alive in .*, at most 10.0 MiB' 'finished: totals' "$kalloscope" top known.k
grep -q '^ *10 *10 *1000 B *100 B  make_node < build < main$' out
result 'finished: a site with its calls, bytes and what lives' $?
is 'finished: free pages as zoneinfo has them' \
	"$("$kalloscope" proc zoneinfo known.k | awk '/zone / {zone = $4} /pages free/ {free = $3} /spanned/ && $2 {print zone, $2 - free, free}')" \
	"$(awk '/^(DMA|Normal|HighMem) / {gsub(",", ""); print $1, $2, $3}' out)"
is 'finished: caches as slabinfo has them' "$("$kalloscope" proc slabinfo known.k | awk '$1 == "size-128" {print $3}')" \
	"$(awk '$1 == "size-128" {print $3}' out)"
expect_of 2 'no process 9' 'a process that is not there' "$kalloscope" top --process 9 known.k
COLUMNS=50 "$kalloscope" top --once known.k >out
[ "$(wc -L <out)" -le 50 ]
result 'as wide as COLUMNS says' $?

# --- one that is being written
"$kalloscope" record -q -o live.k -- "$build/tests/programs/paced" 8 2 >paced.out 2>paced.err &
recording=$!
while kill -0 "$recording" 2>/dev/null; do
	sleep .3
	[ -e live.k ] && "$kalloscope" top --once live.k >out 2>err && grep -q ' work\( <\|$\)' out && break
done
grep -q '^recording, .* stored so far, pid [0-9]*: ' out && grep -q ' work\( <\|$\)' out
result 'being written: sites have names before the recorder gives them' $?
grep -q '^Normal .*#' out
result 'being written: zones' $?
wait "$recording"
recording=
expect_of 0 '^finished' 'then it is finished' "$kalloscope" top live.k
is 'with all its calls' "$("$kalloscope" sql -n live.k "SELECT count(*) FROM events WHERE kind IN ('malloc', 'calloc', 'realloc') AND process = 1")" \
	"$(sed -n 's/.* events, \([0-9,]*\) allocations.*/\1/p' out | tr -d ,)"

# --- a terminal
if command -v script >/dev/null; then
	(sleep 2; printf q) | script -qec "stty rows 14 cols 60; $kalloscope top --interval .3 known.k" /dev/null >screen
	result 'q ends it' $?
	python3 - <<'PY'
import re
text = open("screen", errors="replace").read()
assert text.index("\033[?1049h") < text.index("q: quit") < text.index("\033[?1049l"), "alternate screen"
assert text.index("\033[?25l") < text.index("\033[?25h"), "cursor"
looks = text.split("\033[H")[1:]
assert len(looks) > 2, "drawn again"
for look in looks:
    lines = re.sub(r"\033\[[?0-9]*[A-Za-z]", "", look.split("q: quit")[0]).split("\n")
    assert len(lines) <= 14 and all(len(l.rstrip("\r")) <= 60 for l in lines), lines
PY
	result 'the terminal is filled, not overrun, and given back' $?
	(sleep 2; printf '\003') | script -qec "$kalloscope top known.k" /dev/null >screen
	grep -q "$(printf '\033\\[?1049l')" screen
	result 'an interrupt gives the terminal back' $?
fi

echo "1..$n"
exit $failed
