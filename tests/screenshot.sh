#!/bin/sh
# Makes viewer/screenshot.png, the picture in README.md: the real window on a recording of gcc.
#   tests/screenshot.sh BUILD [VIEW-NUMBER]
set -eu
build=$(cd "${1:?usage: screenshot.sh BUILD [VIEW]}" && pwd)
view=${2:-1}
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-shot.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$build/kalloscope" record -q -o "$folder/gcc.kalloscope" -- gcc -O2 -c -o "$folder/x.o" "$top/core/slab.c"
cat >"$folder/shoot.sh" <<SH
GSK_RENDERER=cairo dbus-run-session -- "$build/viewer/kalloscope-viewer" "$folder/gcc.kalloscope" >/dev/null 2>&1 &
viewer=\$!
sleep 5
xdotool mousemove 1279 799 key ctrl+$view
sleep 2
import -window root "$top/viewer/screenshot.png"
pkill -P \$viewer
kill \$viewer
SH
xvfb-run -a -s "-screen 0 1280x800x24" sh "$folder/shoot.sh"
echo "$top/viewer/screenshot.png"
