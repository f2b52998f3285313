#!/bin/sh
# Makes the pictures in README.md on a recording of gcc: viewer/screenshot.png, the real window, and
# viewer/steps.png, one event taken apart.
#   tests/screenshot.sh BUILD [VIEW-NUMBER]
set -eu
build=$(cd "${1:?usage: screenshot.sh BUILD [VIEW]}" && pwd)
view=${2:-1}
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-shot.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$build/kalloscope" record -q -o "$folder/gcc.kalloscope" -- gcc -O2 -c -o "$folder/x.o" "$top/core/slab.c"
cat >"$folder/shoot.sh" <<SH
XDG_STATE_HOME="$folder" GSK_RENDERER=cairo dbus-run-session -- "$build/viewer/kalloscope-viewer" "$folder/gcc.kalloscope" >/dev/null 2>&1 &
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
# the deepest split that begins an event
event=$("$build/kalloscope" sql "$folder/gcc.kalloscope" "SELECT event FROM transitions WHERE kind = 'buddy_split' AND id % 1048576 = 0 ORDER BY process = 2 DESC, \"order\" - order2 DESC, event LIMIT 1" | tail -n 1)
"$build/kalloscope" render --view steps --at "#$event" --step 1:0.4 --size 1280x760 -o "$top/viewer/steps.png" "$folder/gcc.kalloscope"
echo "$top/viewer/steps.png"
