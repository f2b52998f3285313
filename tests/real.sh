#!/bin/sh
# Real programs, native and recorded side by side: same output and exit status, and a recording
# that verifies with nothing lost, every event with a stack, every free with its allocation, the
# fold equal to the machine's own final state, and as many rows as an independent witness counted.
#
# The witness is preloaded before the library and jumps on into it, so one run gives both counts.
#
#   tests/real.sh BUILD [CASE...]      TAP on stdout; the folder of a failed case is kept
set -u
build=$(cd "${1:?usage: real.sh BUILD [CASE...]}" && pwd)
shift
kalloscope=$build/kalloscope
library=$build/preload/libkalloscope.so
count_lib=$build/tests/programs/libcount.so
tests=$(cd "$(dirname "$0")" && pwd)
top=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-real.XXXXXX")
record="$kalloscope record -q --force"
witness="env COUNT_FILE=$top/counts LD_PRELOAD=$count_lib:$library"
n=0
failed=0
export PATH=/usr/local/bin:/usr/bin:/bin LC_ALL=C.UTF-8 PYTHONHASHSEED=0 PERL_HASH_SEED=0 PYTHONDONTWRITEBYTECODE=1

# prepare NAME: makes what the case needs in the current folder, not recorded.
prepare() {
	case $1 in
	bash)
		cat >script.bash <<'SH'
words() { printf '%s\n' one two three "$@"; }
for i in 1 2 3 4 5; do words "$i" | tr a-z A-Z | sort -r | (read -r first; echo "first $first"; cat | wc -l); done
x=$(for i in {1..200}; do echo "$i"; done | awk '{ s += $1 } END { print s }')
declare -A map; for i in {1..500}; do map[$i]=$((i * i)); done
echo "sum $x, map ${map[77]}, $( (echo nested; (echo deeper)) | paste -sd, )"
exit 7
SH
		;;
	python | python_malloc)
		cat >work.py <<'PY'
import json
rows = [{"id": i, "name": f"row {i} " * 80, "values": [i * j for j in range(8)]} for i in range(12000)]
text = json.dumps(rows)
back = json.loads(text)
print(len(text), sum(r["values"][3] for r in back))
PY
		;;
	perl) echo 'my %h; $h{"key $_"} = "value " . ($_ * 3) for 1 .. 400000; my $n = 0; $n += length $h{"key $_"} for 1 .. 400000; print scalar(keys %h), " $n\n";' >work.pl ;;
	gcc)
		python3 - >big.c <<'PY'
print("#include <stdio.h>\n#include <string.h>")
for i in range(300):
    print(f"""int f{i}(int n, const char *s) {{ int t = {i}; for (int k = 0; k < n; k++) {{ t += s[k % 7] * k; if (t % {i + 3} == 0) t ^= n << 2; }}
  switch (t % 5) {{ case 0: t += strlen(s); break; case 1: t -= {i}; break; default: t *= 3; }} return t; }}""")
print("int main(void) { long s = 0;" + "".join(f"s += f{i}({i % 50}, \"abcdefgh\");" for i in range(300)) + 'printf("%ld\\n", s); return 0; }')
PY
		;;
	git) mkdir -p tree && for i in 1 2 3 4 5 6 7 8; do seq "$i" 400 >"tree/file$i.txt"; done ;;
	tar) mkdir -p data && seq 1 200000 >data/a && seq 5 3 90000 >data/b && cp "$(command -v bash)" data/c ;;
	esac
}

# run NAME: the recorded command, in the current folder. $KR is empty or the recorder's words.
run() {
	case $1 in
	ls) $KR ls -lR /usr/share ;;
	bash) $KR bash script.bash ;;
	python) $KR python3 work.py ;;
	python_malloc) PYTHONMALLOC=malloc $KR python3 work.py ;;
	perl) $KR perl work.pl ;;
	gcc) $KR gcc -O2 -pipe -o big big.c && ./big && cksum big ;;
	git)
		# Files as old as this need no second look, which git takes or not by the clock
		rm -rf repo && cp -r tree repo && touch -d 2020-01-01 repo/*
		export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=gc.auto GIT_CONFIG_VALUE_0=0
		export GIT_CONFIG_KEY_1=maintenance.auto GIT_CONFIG_VALUE_1=false
		export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b.c GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b.c
		export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
		$KR sh -c 'cd repo && git init -q -b main . && git add . && git commit -q -m first && git log --stat && git status --short && git fsck'
		;;
	sqlite3)
		rm -f t.db
		$KR sqlite3 t.db "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO t SELECT i, 'row ' || i, i * 0.5 FROM n; CREATE INDEX i ON t(b); SELECT count(*), sum(c), max(b) FROM t;"
		;;
	tar) $KR sh -c 'tar -c --sort=name --mtime=@0 --owner=0 --group=0 data | xz -T1 -3 | cksum' ;;
	find) $KR sh -c 'find /usr/lib -name "*.so*" | sort | uniq -c | tail -20' ;;
	known) $KR "$build/tests/programs/known" ;;
	churn) $KR "$build/tests/programs/churn" 20 100000 ;;
	cross) $KR "$build/tests/programs/cross" 60000 ;;
	esac
}

fail() {
	echo "# $1"
	ok=0
}

query() { "$kalloscope" sql --csv "$recording" "$1" | tail -n 1; }

check_recording() {
	"$kalloscope" verify "$recording" >verify.txt 2>&1 || fail "verify: $(grep -v '^ok' verify.txt | head -3 | tr '\n' ';')"
	[ "$(query "SELECT value FROM meta WHERE key = 'lost'")" = 0 ] || fail "records were lost"
	no_stack=$(query "SELECT count(*) FROM events WHERE stack = 0")
	[ "$no_stack" = 0 ] || fail "$no_stack events have no backtrace"
	no_ref=$(query "SELECT count(*) FROM events WHERE kind = 'free' AND ref IS NULL OR kind = 'free' AND ref = 0")
	[ "$no_ref" = 0 ] || fail "$no_ref frees have no allocation"
	unequal=$(query "SELECT count(*) FROM process WHERE state_check IS NOT 'equal'")
	[ "$unequal" = 0 ] || fail "$unequal processes: fold and machine differ or were not compared: $(query "SELECT process || ' ' || exe || ' ' || ifnull(state_check, 'not compared') FROM process WHERE state_check IS NOT 'equal'")"
}

rows() { query "SELECT count(*) FROM events WHERE process != 1 AND kind IN ('malloc','calloc','realloc','free','memalign','mmap','munmap','mremap','mprotect','madvise')"; }
witnessed() { od -A n -t u8 -v "$top/counts" | awk '{ for (i = 1; i <= NF; i++) if (++n != 5) s += $i } END { print s }'; }

# Process 1 is env, which has no witness. Every image after it makes some calls more than the
# program: the library's own, when it loads libunwind; 5 fewer where liblzma, which that needs, is
# there already, as it is in xz.
check_count() {
	lzma=$(query "SELECT count(*) FROM process WHERE process != 1 AND how != 1 AND exe LIKE '%/xz'")
	images=$(query "SELECT count(*) FROM process WHERE process != 1 AND how != 1")
	[ "$(rows)" = $(($(witnessed) - own * images + 5 * lzma)) ] ||
		fail "$(rows) rows, the witness counted $(witnessed) calls; $own of each of $images images are not the program's"
}

# How many those are: this churn makes 43 calls, calloc and free of its table, malloc and free of 20
# blocks, and malloc of printf's buffer.
own_calls() {
	mkdir -p "$top/own" && cd "$top/own" || exit 1
	recording=$PWD/recording.kalloscope
	head -c 88 /dev/zero >"$top/counts"
	$record -o "$recording" -- $witness "$build/tests/programs/churn" 1 20 >out
	own=$(($(witnessed) - 43))
}

own_calls
for name in ${*:-known churn cross ls bash python python_malloc perl gcc git sqlite3 tar find}; do
	n=$((n + 1))
	ok=1
	mkdir -p "$top/$name" && cd "$top/$name" || exit 1
	recording=$PWD/recording.kalloscope
	prepare "$name"
	KR= run "$name" >native.out 2>native.err
	native=$?
	head -c 88 /dev/zero >"$top/counts"
	KR="$record --dump-state -o $recording -- $witness" run "$name" >recorded.out 2>recorded.err
	recorded=$?
	[ $native = $recorded ] || fail "exit status $recorded, native $native"
	cmp -s native.out recorded.out || fail "output differs: $(diff native.out recorded.out | head -3 | tr '\n' ';')"
	cmp -s native.err recorded.err || fail "stderr differs: $(diff native.err recorded.err | head -3 | tr '\n' ';')"
	if [ -f "$recording" ]; then
		check_recording
		check_count
		size=$(stat -c %s "$recording")
		echo "# $name: $(query 'SELECT count(*) FROM events') events, $(query 'SELECT count(*) FROM process') processes, $size bytes"
	else
		fail "there is no recording"
	fi
	if [ $ok = 1 ]; then
		echo "ok $n - $name"
		rm -rf "${top:?}/$name"
	else
		echo "not ok $n - $name # kept in $top/$name"
		failed=1
	fi
	cd "$tests" || exit 1
done
rm -rf "$top/own" "$top/counts"
rmdir "$top" 2>/dev/null
echo "1..$n"
exit $failed
