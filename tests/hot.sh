#!/bin/sh
# What the library's way of a hit is made of: no division, no locked instruction but the two that a
# process with threads needs, thread-local state at a fixed offset.
#
#   tests/hot.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: hot.sh BUILD}" && pwd)
library=$build/preload/libkalloscope.so
failed=0
n=0

result() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; failed=1; fi
}

code() { # FUNCTION: its instructions
	objdump -d --no-show-raw-insn --disassemble="$1" "$library" | awk '/^ / { $1 = ""; print }'
}

for f in malloc free; do
	code $f >code.$$
	[ "$(wc -l <code.$$)" -gt 100 ]
	result $? "$f is one piece of $(wc -l <code.$$) instructions"
	! grep -Eq '^ i?div' code.$$
	result $? "$f has no division"
	! grep -q '^ syscall' code.$$
	result $? "$f has no system call"
	# Taking the CPU and giving it back, each on the branch of a process with several threads
	[ "$(grep -Ec '^ lock |^ xchg .*\(%' code.$$)" -le 2 ] && grep -q '__libc_single_threaded' code.$$
	result $? "$f locks twice at most, and asks first whether there is another thread"
	rm -f code.$$
done

readelf -d "$library" | grep -q 'FLAGS.*STATIC_TLS'
result $? "thread-local state is allocated with the program's own"
! readelf -rW "$library" | grep -Eq 'DTPMOD|DTPOFF|TLSDESC'
result $? "and found without a call (initial-exec)"
echo "1..$n"
exit $failed
