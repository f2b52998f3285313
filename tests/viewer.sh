#!/bin/sh
# The viewer from outside: pictures of a fresh recording, refusals, and the window under Xvfb.
#   tests/viewer.sh BUILD      TAP on stdout; what needs a display is skipped without Xvfb
set -u
build=$(cd "${1:?usage: viewer.sh BUILD}" && pwd)
render=$build/viewer/kalloscope-render
viewer=$build/viewer/kalloscope-viewer
[ -x "$render" ] || { echo "1..0 # SKIP built without cairo"; exit 0; }
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-viewer.XXXXXX")
server=
finish() {
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$folder"
}
trap finish EXIT
cd "$folder" || exit 1
n=0
failed=0

result() { # status, name
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		failed=1
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# PNG with the width and height asked for: bytes 16..23 of the header
is_png() {
	[ "$(od -An -tx1 -N8 "$1" | tr -d ' \n')" = 89504e470d0a1a0a ] &&
		[ "$(od -An -tu1 -j16 -N8 "$1" | awk '{ print ($3 * 256 + $4) "x" ($7 * 256 + $8) }')" = "$2" ]
}

"$build/kalloscope" record -q -o r.kalloscope -- ls -R /usr/share/doc/libc6 /etc >/dev/null 2>&1
[ -s r.kalloscope ]
result $? "a recording to look at"

for view in map zones percpu slab vmalloc highmem address summary events timeline event steps flame sites processes boot; do
	"$render" --view $view --size 900x600 -o $view.png r.kalloscope 2>error && is_png $view.png 900x600 && [ ! -s error ]
	result $? "draw $view"
done
"$render" --view map --at '#50' -o early.png r.kalloscope && "$render" --view map --at end -o late.png r.kalloscope &&
	! cmp -s early.png late.png
result $? "the map at two events differs"
"$render" --view flame -o flame.csv r.kalloscope && "$render" --view flame --inverted --fold -o folded.csv r.kalloscope
[ "$(head -1 flame.csv)" = "$(head -1 folded.csv)" ] && ! cmp -s flame.csv folded.csv
result $? "the flame graph begins at the sites and folds recursion"
"$render" --view slab --cache size-64 --dark -o dark.png r.kalloscope
result $? "a named cache"

"$render" --view map --size 900x600 -o map.svg r.kalloscope && head -c 5 map.svg | grep -q '<?xml'
result $? "a picture as SVG"
"$render" --view slab -o slab.csv r.kalloscope && grep -q '^size-64,64,' slab.csv
result $? "its table as CSV"

refused() { # name, words of the message, arguments
	name=$1 words=$2
	shift 2
	"$render" "$@" 2>error >/dev/null
	[ $? = 2 ] && grep -q -- "$words" error
	result $? "refused: $name"
}
refused "no such view" "no view" --view nothing -o x.png r.kalloscope
refused "bad size" "size" --view map --size 5x5 -o x.png r.kalloscope
refused "bad position" "does not understand" --view map --at yesterday -o x.png r.kalloscope
for colour in order type age site cache; do
	"$render" --view map --colour $colour -o colour.png r.kalloscope && ! cmp -s colour.png map.png
	result $? "the map by $colour"
done
"$render" --view sites --scope live --at '#200' -o live.csv r.kalloscope && "$render" --view sites -o all.csv r.kalloscope &&
	! cmp -s live.csv all.csv
result $? "call sites of what is alive at an event"
refused "no such colour" "colour must be" --view map --colour pink -o x.png r.kalloscope
refused "no such scope" "scope must be" --view sites --scope some -o x.csv r.kalloscope
refused "no such process" "no process" --view map --process 4711 -o x.png r.kalloscope
refused "missing file" "nothing.kalloscope" --view map -o x.png nothing.kalloscope
refused "folder of the picture missing" "cannot write" --view map -o none/x.png r.kalloscope
echo "just some text, not a recording at all" >text.kalloscope
refused "bad step" "step must be" --view steps --step first -o x.png r.kalloscope
refused "no table" "no table" --view events -o x.csv r.kalloscope
refused "not a recording" "text.kalloscope" --view map -o x.png text.kalloscope

# Half a file may be refused or shown in part, but never crashes
for part in 3 5 9; do
	head -c $(($(wc -c <r.kalloscope) * part / 10)) r.kalloscope >cut.kalloscope
	"$render" --view slab -o x.png cut.kalloscope >/dev/null 2>&1
	[ $? -lt 128 ]
	result $? "cut at $part tenths"
done

desktop=$build/viewer/org.kalloscope.Viewer.desktop
if [ -f "$desktop" ] && command -v desktop-file-validate >/dev/null; then
	desktop-file-validate "$desktop" >invalid 2>&1
	result $? "the desktop entry is valid"
	sed 's/^/# /' invalid
fi
if [ -f "$desktop" ] && command -v appstreamcli >/dev/null; then
	appstreamcli validate --no-net "$top/viewer/data/org.kalloscope.Viewer.metainfo.xml" >invalid 2>&1
	result $? "the AppStream data is valid"
	grep -E '^[EW]:' invalid | sed 's/^/# /'
fi

missing=
for tool in Xvfb xdotool import dbus-run-session; do
	command -v $tool >/dev/null || missing="$missing $tool"
done
[ -x "$viewer" ] || missing="$missing kalloscope-viewer"
if [ -n "$missing" ]; then
	skip "the window" "missing:$missing"
	echo "1..$n"
	exit $failed
fi

display=$folder/display
Xvfb -displayfd 3 -screen 0 1300x880x24 -nolisten tcp 3>"$display" 2>/dev/null &
server=$!
for i in 1 2 3 4 5 6 7 8 9 10; do
	[ -s "$display" ] && break
	sleep 0.3
done
export DISPLAY=":$(cat "$display")" GDK_BACKEND=x11 GSK_RENDERER=cairo LC_ALL=C.UTF-8 XDG_CONFIG_HOME="$folder" XDG_STATE_HOME="$folder" XDG_DATA_HOME="$folder"
export GSETTINGS_BACKEND=memory GTK_A11Y=none

# A picture that stays the same for a moment; waits for the worker and the frame after it
settle() {
	import -window root "$1" 2>/dev/null
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		sleep 0.25
		import -window root next.ppm 2>/dev/null
		cmp -s "$1" next.ppm && return 0
		mv next.ppm "$1"
	done
	return 1
}

cat >session.sh <<'SESSION'
"$1" r.kalloscope 2>viewer.err &
pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	xdotool search --onlyvisible --name kalloscope >/dev/null 2>&1 && break
	sleep 0.3
done
echo started >step
while [ ! -e done ]; do sleep 0.1; done
xdotool key ctrl+q
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	kill -0 $pid 2>/dev/null || break
	sleep 0.2
done
if kill $pid 2>/dev/null; then echo killed >status; else wait $pid; echo $? >status; fi
SESSION
dbus-run-session -- sh session.sh "$viewer" >/dev/null 2>&1 &
session=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	[ -e step ] && break
	sleep 0.3
done
for i in 1 2 3 4 5 6 7 8 9 10; do
	settle first.ppm
	colours=$(identify -format %k first.ppm 2>/dev/null || echo 0)
	[ "$colours" -gt 40 ] && break
done
[ "$colours" -gt 40 ]
result $? "the window shows the map ($colours colours)"
last=first.ppm
for key in ctrl+2 ctrl+3 ctrl+4 ctrl+5 ctrl+6 ctrl+7 ctrl+8 ctrl+9 ctrl+0; do
	xdotool key $key
	settle $key.ppm
	# the table of events is made at first sight, which takes a busy machine a while
	for i in 1 2 3 4; do
		cmp -s $last $key.ppm || break
		settle $key.ppm
	done
	! cmp -s $last $key.ppm
	result $? "$key shows another view"
	last=$key.ppm
done
xdotool key ctrl+9
settle at.ppm
xdotool key Left
settle left.ppm
! cmp -s at.ppm left.ppm
result $? "Left goes one event back"
xdotool key Right
settle right.ppm
! cmp -s left.ppm right.ppm
result $? "Right goes one forward"
xdotool key Home
settle home.ppm
! cmp -s right.ppm home.ppm
result $? "Home goes to the first event"
xdotool key ctrl+g
sleep 0.5
xdotool type "#40"
xdotool key Return
settle goto.ppm
! cmp -s home.ppm goto.ppm
result $? "Ctrl+G goes to an event"
xdotool key alt+Left
settle back.ppm
! cmp -s goto.ppm back.ppm
result $? "Alt+Left goes back"
xdotool key alt+Right
settle goto.ppm
xdotool key bracketright
settle bracket.ppm
! cmp -s goto.ppm bracket.ppm
result $? "] follows the block"
xdotool key ctrl+b
settle mark.ppm
ls kalloscope/*.bookmarks >/dev/null 2>&1
result $? "Ctrl+B keeps a bookmark"
settle goto.ppm
xdotool key F9
settle f9.ppm
! cmp -s goto.ppm f9.ppm
result $? "F9 hides the sidebar"
xdotool key ctrl+F9
settle cf9.ppm
! cmp -s f9.ppm cf9.ppm
result $? "Ctrl+F9 folds what happened"
touch done
wait $session
[ "$(cat status 2>/dev/null)" = 0 ]
result $? "Ctrl+Q ends it"
! grep -qE 'CRITICAL|WARNING.*(Ksv|ksv|assertion)' viewer.err
result $? "no complaint on stderr"
[ $failed = 0 ] || sed 's/^/# /' viewer.err | head -5

if [ -x "$build/tests/viewer_find_test" ]; then
	"$build/tests/viewer_find_test" r.kalloscope >found 2>&1
	result $? "searches in it find what looking at every row finds"
	grep -E '^(not ok|#)' found | sed 's/^/# /'
fi

if [ -x "$build/tests/viewer_blocks_test" ]; then
	"$build/tests/viewer_blocks_test" r.kalloscope >blocks 2>&1
	result $? "blocks, holders and scopes of it are those of its rows"
	grep -E '^(not ok|#)' blocks | sed 's/^/# /'
fi

if [ -x "$build/tests/viewer_widgets_test" ]; then
	KALLOSCOPE_TEST_RECORDING=$folder/r.kalloscope "$build/tests/viewer_widgets_test" >widgets 2>&1 && ! grep -q SKIP widgets
	result $? "widgets, roles and pages"
	grep -E '^(not ok|#)' widgets | sed 's/^/# /'
fi
over_atspi() { # script, what it shows, arguments after the build folder
	script=$1 shows=$2
	shift 2
	if /usr/bin/python3 -c 'import gi; gi.require_version("Atspi", "2.0"); from gi.repository import Atspi' 2>/dev/null; then
		env -u GTK_A11Y timeout 580 dbus-run-session -- /usr/bin/python3 "$top/tests/$script" "$build" "$@" >atspi 2>&1
		result $? "$shows"
		grep -E '^(not ok|#)' atspi | sed 's/^/# /'
	else
		skip "$shows" "missing: python3-gi gir1.2-atspi-2.0"
	fi
}
over_atspi accessible.py "assistive tools find every widget named" r.kalloscope
over_atspi tour.py "by keyboard alone to the peak, its stack, every view and a picture" r.kalloscope
over_atspi states.py "empty, waiting, stopped and refused: the window says what is the matter"
echo "1..$n"
exit $failed
