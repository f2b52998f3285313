#!/bin/sh
# A disk that is full at the start, one that fills while a program is recorded, one that is read-only.
#   tests/full.sh BUILD      TAP on stdout; needs a mount namespace for its small disks
set -u
build=$(cd "${1:?usage: full.sh BUILD}" && pwd)
if [ "${2:-}" != inside ]; then
	for how in -m -rm; do
		unshare $how true 2>/dev/null && exec unshare $how "$0" "$build" inside
	done
	echo "1..0 # SKIP no mount namespace may be made here"
	exit 0
fi
kalloscope=$build/kalloscope
disk=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-full.XXXXXX")
mount -t tmpfs -o size=100M none "$disk" || { rmdir "$disk"; echo "1..0 # SKIP tmpfs cannot be mounted here"; exit 0; }
trap 'cd /; umount "$disk"; rmdir "$disk"' EXIT
cd "$disk" || exit 1
n=0
failed=0

check() { # NAME COMMAND...
	n=$((n + 1))
	name=$1
	shift
	if "$@"; then echo "ok $n - $name"; else
		echo "not ok $n - $name"
		sed 's/^/# /' out
		failed=1
	fi
}
value() { sqlite3 r.kalloscope "$1"; }

"$kalloscope" record -o r.kalloscope -- true >out 2>&1
check "no room: refused before the program runs" [ $? = 2 ]
check "the message names the place, the room needed and a way out" grep -q "r.kalloscope.spool (.* MiB): No space left on device; choose another place with -o" out
rm -f out
check "nothing is left behind" [ -z "$(ls)" ]

# The session takes 260 MiB and more on a machine of many CPUs; beside it there is room for little
mount -o remount,size=2G "$disk"
"$kalloscope" record -q -o probe.kalloscope -- sh -c 'du -sm probe.kalloscope.spool' >size 2>&1
session=$(cut -f 1 size)
rm -rf probe.kalloscope* size
mount -o remount,size=$((session + 48))M "$disk"
expected=$("$build/tests/programs/churn" 20 700000)
timeout 60 "$kalloscope" record -o r.kalloscope -- sh -c '"$1" 20 700000; exit 7' sh "$build/tests/programs/churn" >/dev/shm/out.$$ 2>/dev/shm/err.$$
status=$?
check "filling up: the program ends with its own status" [ $status = 7 ]
check "and its own output" [ "$(cat /dev/shm/out.$$)" = "$expected" ]
mount -o remount,size=2G "$disk"
mv /dev/shm/err.$$ out
rm -f /dev/shm/out.$$
check "what happened is said" grep -q "could not be finished: .*r.kalloscope.*full\|could not be finished: .*No space" out
check "and what to do" grep -q "try: kalloscope recover .*r.kalloscope" out
check "the spool is kept" [ -d r.kalloscope.spool ]
check "the file is a valid database" [ "$(value 'PRAGMA quick_check')" = ok ]
check "with room again, recover completes it" "$kalloscope" recover r.kalloscope 2>>out
"$kalloscope" verify r.kalloscope >out
check "nothing is wrong with it but what was lost, which is counted" [ "$(grep -v '^NOT OK *lost' out | grep -c '^NOT OK')" = 0 ]
check "rows and lost records are all there were" [ "$(value "SELECT count(*) + (SELECT value FROM meta WHERE key = 'lost') FROM event")" -ge 1400000 ]
check "the spool is gone" [ ! -e r.kalloscope.spool ]

rm -f out r.kalloscope
mount -o remount,ro "$disk"
said=$("$kalloscope" record -o r.kalloscope -- true 2>&1)
check "read-only: refused" [ $? = 2 ]
check "the message names the folder and why" [ "${said%*Read-only file system; choose another place with -o}" != "$said" ]
echo "1..$n"
exit $failed
