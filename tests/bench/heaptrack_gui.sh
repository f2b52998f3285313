#!/bin/sh
# heaptrack_gui opening FILE on the display there is, until it has used no CPU for two seconds.
#   tests/bench/heaptrack_gui.sh FILE
set -eu
ticks() { sed 's/.*) //' "/proc/$gui/stat" | awk '{ print $12 + $13 }'; }
since() { echo $((($(date +%s%N) - start) / 1000000)); }
start=$(date +%s%N)
QT_QPA_PLATFORM=xcb heaptrack_gui "${1:?usage: heaptrack_gui.sh FILE}" >/dev/null 2>&1 &
gui=$!
last=-1 at=0 rested=$start
while [ "$(since)" -lt 120000 ]; do
	sleep 0.25
	now=$(ticks)
	if [ "$now" = "$last" ]; then
		[ $((($(date +%s%N) - rested) / 1000000)) -lt 2000 ] || break
	else
		last=$now rested=$(date +%s%N) at=$(since)
	fi
done
echo "heaptrack_gui rests after $at ms, $((last * 1000 / $(getconf CLK_TCK))) ms of CPU"
sed -n 's/^VmHWM:[^0-9]*/heaptrack_gui resident KiB: /p' "/proc/$gui/status"
kill $gui
