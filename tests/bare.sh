#!/bin/sh
# The library preloaded by hand: it starts the recorder itself, and the program does not notice.
#
#   tests/bare.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: bare.sh BUILD}" && pwd)
lib=$build/preload/libkalloscope.so
witness=$build/tests/programs/witness
top=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-bare.XXXXXX")
trap 'rm -rf "$top"' EXIT
cd "$top" || exit 1
unset KALLOSCOPE_OPTIONS KALLOSCOPE_SESSION LD_PRELOAD _
n=0
failed=0

# check WHAT COMMAND...
check() {
	what=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		failed=1
	fi
}

# Waits until the recorder has finished the one recording here.
finished() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ -e *.kalloscope ] && [ ! -e *.kalloscope.spool ] && return 0
		sleep 0.5
	done
	return 1
}

verified() { "$build/kalloscope" verify ./*.kalloscope >verify.out 2>&1 || { sed 's/^/# /' verify.out; false; }; }
processes() { [ "$("$build/kalloscope" sql -n ./*.kalloscope 'SELECT count(*) FROM process')" "$@" ]; }

"$witness" >native 2>err
native=$?
LD_PRELOAD=$lib "$witness" >recorded 2>err
recorded=$?
check "same exit status" [ "$native" -eq "$recorded" ]
check "same view of itself" diff native recorded
check "nothing said" [ ! -s err ]
check "a recording is made" finished
check "it verifies" verified

rm -rf ./*.kalloscope*
LD_PRELOAD=$lib timeout -s KILL 20 sh -c 'ls /; ls / | cat; exit 5' >/dev/null
check "a pipe behind the program ends" [ $? -eq 5 ]
check "children are in the same recording" finished
check "each of them" processes -ge 6
check "and it verifies" verified

rm -rf ./*.kalloscope*
LD_PRELOAD=$lib timeout -s KILL 20 "$build/tests/programs/own_malloc" >recorded
check "a program with its own malloc runs" [ $? -eq 0 ]
check "and says what it says" [ "$(cat recorded)" = "served by the program itself" ]
check "its mappings are recorded" finished
check "at least its first two" [ "$("$build/kalloscope" sql -n ./*.kalloscope "SELECT count(*) >= 2 FROM events WHERE kind = 'mmap'")" = 1 ]

rm -rf ./*.kalloscope*
mkdir alone
cp "$lib" alone
LD_PRELOAD=$top/alone/libkalloscope.so "$witness" >recorded 2>err
check "without a recorder the program runs" [ $? -eq "$native" ]
check "unchanged" diff native recorded
check "one line says so" [ "$(wc -l <err)" -eq 1 ]

KALLOSCOPE_OPTIONS=--no-such-option LD_PRELOAD=$lib "$witness" >recorded 2>err
check "with a recorder that refuses, too" [ $? -eq "$native" ]
check "unchanged as well" diff native recorded
check "and the reason is said" grep -q "KALLOSCOPE_OPTIONS: option --no-such-option is unknown.*record --help" err
KALLOSCOPE_OPTIONS=ram=64M LD_PRELOAD=$lib "$witness" >recorded 2>err
check "a word that is no option" grep -q "KALLOSCOPE_OPTIONS: 'ram=64M' is not an option" err
check "no internal command is named" [ "$(grep -c 'kalloscope recorder' err)" -eq 0 ]
echo "1..$n"
exit $failed
