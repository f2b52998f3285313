#!/bin/sh
# The viewer's budgets on a recording, in a window under Xvfb without a GPU: until the window is there
# and shows something (open.sh, from outside), then jumps, steps, frames, rest and memory (window.c).
#   tests/bench/view.sh BUILD RECORDING [JUMPS]      exit status 1 when a budget is missed
# With HEAPTRACK=FILE that file is opened by heaptrack_gui next to it: CPU time until it rests.
set -eu
build=$(cd "${1:?usage: view.sh BUILD RECORDING [JUMPS]}" && pwd)
recording=$(realpath "${2:?usage: view.sh BUILD RECORDING [JUMPS]}")
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-view.XXXXXX")
trap 'rm -rf "$folder"' EXIT
export XDG_CONFIG_HOME="$folder" XDG_STATE_HOME="$folder" XDG_CACHE_HOME="$folder" GSETTINGS_BACKEND=memory GSK_RENDERER=cairo GTK_A11Y=none

"$(dirname "$0")/open.sh" "$build" "$recording"
[ -z "${HEAPTRACK:-}" ] || xvfb-run -w 30 -a -s "-screen 0 1280x900x24 -noreset" sh "$(dirname "$0")/heaptrack_gui.sh" "$HEAPTRACK"
xvfb-run -w 30 -a -s "-screen 0 1280x900x24 -noreset" dbus-run-session -- "$build/tests/window_bench" "$recording" ${3:-}
