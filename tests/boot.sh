#!/bin/bash
# boot.sh BUILD: processes get the machine booted by whoever started them, or boot when there is none.
build=$(cd "$1" && pwd)
. "$(dirname "$0")/tap.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/boot.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
record() { "$build/kalloscope" record -q --force -o r.kalloscope -- "$@"; }
run() { "$build/kalloscope" run -- "$@"; }
faults='import os, resource
before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt - before)'

run cat /proc/self/maps >out 2>err && grep -q 'kalloscope boot' out
result 'run: the machine is that of the launcher' $?

sh -c 'ls /proc/$$/fd' >native
run sh -c 'ls /proc/$$/fd' >out 2>err && cmp -s native out
result 'run: the program finds no descriptor more' $?

# the child's descriptor of that number is its own
echo own >mine
run sh -c 'eval "exec $KALLOSCOPE_BOOT<mine"; sh -c "cat <&$KALLOSCOPE_BOOT"' >out 2>err && cmp -s mine out
result 'run: a child keeps what it has under that number' $?

(ulimit -f 64 && run cat /proc/self/maps) >out 2>err && ! grep -q 'kalloscope boot' out && [ ! -s err ]
result 'run: a limit on the size of files is no obstacle' $?

record python3 -c "$faults" >out 2>err && [ "$(cat out)" -lt 600 ]
result 'record: a child does not boot' $?

record sh -c 'cat /proc/self/maps' >out 2>err && grep -q 'spool/boot' out && [ ! -e r.kalloscope.spool ]
result 'record: the machine is a file of the session, which goes with it' $?

"$build/kalloscope" verify r.kalloscope >out 2>err
result 'record: the recording is consistent' $?

record sh -c 'truncate -s -8 r.kalloscope.spool/boot; cat /proc/self/maps; true' >out 2>err &&
	! grep -q 'spool/boot' out && "$build/kalloscope" verify r.kalloscope >>out 2>&1
result 'record: a damaged file is not used' $?

record sh -c 'rm r.kalloscope.spool/boot; cat /proc/self/maps; true' >out 2>err &&
	! grep -q 'spool/boot' out && "$build/kalloscope" verify r.kalloscope >>out 2>&1
result 'record: nor one that is not there' $?

echo "1..$n"
exit $failed
