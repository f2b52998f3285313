#!/bin/sh
# How long the viewer takes to open a recording, in a window under Xvfb: until the window is there,
# and until the picture has content (more than 400 colours).
#   tests/bench/open.sh BUILD RECORDING
set -eu
build=$(cd "${1:?usage: open.sh BUILD RECORDING}" && pwd)
recording=$(realpath "${2:?usage: open.sh BUILD RECORDING}")
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-open.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cat >"$folder/session.sh" <<'SH'
since() { echo $((($(date +%s%N) - start) / 1000000)); }
start=$(date +%s%N) window=
GSK_RENDERER=cairo GSETTINGS_BACKEND=memory "$1/viewer/kalloscope-viewer" "$2" >/dev/null 2>&1 &
viewer=$!
while [ "$(since)" -lt 60000 ]; do
	if [ -z "$window" ] && window=$(xdotool search --onlyvisible --name kalloscope 2>/dev/null | head -n 1) && [ -n "$window" ]; then
		echo "window after $(since) ms"
	fi
	at=$(since)
	import -window root "$3/shot.png"
	[ "$(identify -format %k "$3/shot.png")" -le 400 ] || { echo "content after $at ms"; break; }
done
sed -n 's/^VmRSS:[^0-9]*/resident KiB: /p' "/proc/$viewer/status"
kill $viewer
SH
xvfb-run -w 30 -a -s "-screen 0 1280x800x24 -noreset" dbus-run-session -- sh "$folder/session.sh" "$build" "$recording" "$folder" 2>/dev/null | grep -v Spi
