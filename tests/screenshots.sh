#!/bin/sh
# The real window under Xvfb on a recording of gcc -O2: every view at three points of the run, and
# once each dark and in a small window. By keyboard alone, as a person without a mouse would.
#
#   tests/screenshots.sh BUILD FOLDER     VIEW-POINT.png, 1280x800; VIEW-small.png, 900x600
# The README shows Zones_and_buddy-middle.png.
set -eu
build=$(cd "${1:?usage: screenshots.sh BUILD FOLDER}" && pwd)
mkdir -p "${2:?usage: screenshots.sh BUILD FOLDER}"
out=$(cd "$2" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-shots.XXXXXX")
trap 'rm -rf "$folder"' EXIT
recording=$folder/gcc.kalloscope

"$build/kalloscope" record -q -o "$recording" -- gcc -O2 -c -o "$folder/x.o" "$top/core/slab.c"
ids() { "$build/kalloscope" sql -n "$recording" "SELECT first_event, last_event FROM process ORDER BY events DESC LIMIT 1"; }
first=$(ids | cut -f 1)
last=$(ids | cut -f 2)
early=$((first + (last - first) / 50))
middle=$((first + (last - first) / 2))

cat >"$folder/session.sh" <<'SH'
build=$1 recording=$2 out=$3 size=$4
shift 4
GSK_RENDERER=cairo GSETTINGS_BACKEND=memory "$build/viewer/kalloscope-viewer" "$recording" >/dev/null 2>&1 &
viewer=$!
until window=$(xdotool search --onlyvisible --name kalloscope | head -n 1) && [ -n "$window" ]; do sleep 0.3; done
xdotool windowmove "$window" 0 0 windowsize "$window" "${size%x*}" "${size#*x}" windowfocus "$window"
xdotool mousemove 1 1
sleep 4
type_into() { # KEYS TEXT
	xdotool key "$1"
	sleep 0.7
	xdotool type --delay 15 "$2"
	sleep 0.5
	xdotool key Return
	sleep 1.2
}
for point; do # NAME=EVENT
	type_into ctrl+g "#${point#*=}"
	for view in $VIEWS; do
		type_into ctrl+shift+p "View: $(echo "$view" | tr _ ' ')"
		sleep 0.5
		import -window root -crop "$size+0+0" +repage "$out/$view-${point%%=*}.png"
	done
done
kill $viewer
SH
VIEWS="$(sed -n 's/^\t{"[a-z]*", N_("\([^"]*\)").*/\1/p' "$top/viewer/draw/hit.c" | tr ' ' _) SQL"
export VIEWS XDG_CONFIG_HOME="$folder/config" XDG_STATE_HOME="$folder/state"

shoot() { # SIZE POINT=EVENT...
	size=$1
	shift
	xvfb-run -a -s "-screen 0 ${size}x24" dbus-run-session -- sh "$folder/session.sh" "$build" "$recording" "$out" "$size" "$@"
}
shoot 1280x800 early=$early middle=$middle end=$last
ADW_DEBUG_COLOR_SCHEME=prefer-dark shoot 1280x800 dark=$middle
shoot 900x600 small=$middle
echo "$(ls "$out" | wc -l) pictures in $out"
