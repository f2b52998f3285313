#!/bin/sh
# kill -9 of a program at a random moment: the recording opens, verifies, lost nothing, and misses at
# most the one call each thread had not finished. The program counts its calls itself, in a file.
#
#   tests/kill.sh BUILD [TIMES [THREADS...]]      TAP on stdout
set -u
build=$(cd "${1:?usage: kill.sh BUILD [TIMES [THREADS...]]}" && pwd)
times=${2:-15} # of a program of one thread, and as many of one of four
shift
[ $# = 0 ] || shift
[ $# -gt 0 ] || set -- 1 4
kalloscope=$build/kalloscope
tally=$build/tests/programs/tally
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-kill.XXXXXX")
cd "$folder" || exit 1
n=0
failed=0

fail() { echo "# $1"; ok=0; }
word() { od -A n -t u8 -j $(($1 * 8)) -N 8 counts | tr -d ' '; }

# A row is written before the call returns and the program counts after it has: the rows of a thread
# are as many as it counted, or one more. Fewer is a completed call that was lost.
check_rows() { # THREADS
	"$kalloscope" sql -n r.kalloscope "
	WITH work AS (SELECT process, thread, kind, req FROM events
		WHERE kind IN ('malloc', 'free') AND stack IN
		(SELECT stack FROM stacks WHERE depth = 0 AND function = 'work'))
	SELECT (max(req) - 1000) || ' ' || count(*) FROM work GROUP BY thread ORDER BY 1" | tr -d '"' >rows
	[ "$(wc -l <rows)" -le "$1" ] || fail "rows of $(wc -l <rows) threads, not $1"
	i=0
	while [ $i -lt "$1" ]; do
		counted=$(word $((i + 1)))
		rows=$(awk -v i=$i '$1 == i { print $2 }' rows)
		[ $((${rows:-0} - counted)) = 0 ] || [ $((${rows:-0} - counted)) = 1 ] ||
			fail "thread $i completed $counted calls and has ${rows:-0} rows"
		i=$((i + 1))
	done
}

kill_one() { # THREADS ROUND
	rm -rf counts r.kalloscope*
	"$kalloscope" record -q -o r.kalloscope -- "$tally" counts "$1" >/dev/null 2>err &
	record=$!
	tries=0
	until [ -s counts ] && [ "$(word 0)" != 0 ]; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || { fail "the program did not start: $(cat err)"; break; }
		sleep 0.02
	done
	sleep "$(awk -v r="$(od -A n -t u2 -N 2 /dev/urandom)" 'BEGIN { printf "%.4f", r / 65536 * 0.06 }')"
	kill -9 "$(word 0)" || fail "no program to kill"
	wait $record
	[ $? = 137 ] || fail "record's exit status is not 128 + 9"
	"$kalloscope" verify r.kalloscope >verify.txt 2>&1 || fail "verify: $(grep -v '^ok' verify.txt | head -2 | tr '\n' ';')"
	[ "$("$kalloscope" sql -n r.kalloscope "SELECT value FROM meta WHERE key = 'lost'")" = 0 ] || fail "records were lost"
	check_rows "$1"
	[ $ok = 1 ] || fail "at kill $2"
}

for threads; do
	n=$((n + 1))
	ok=1
	round=0
	while [ $ok = 1 ] && [ $round -lt "$times" ]; do
		round=$((round + 1))
		kill_one $threads $round
	done
	if [ $ok = 1 ]; then
		echo "ok $n - $times kills of $threads threads: no completed call is missing"
	else
		echo "not ok $n - kill -9 of $threads threads # in $folder"
		failed=1
		break
	fi
done
echo "1..$n"
[ $failed = 0 ] && rm -rf "$folder"
exit $failed
