#!/bin/sh
# tour.py with a viewer built with the address and undefined behaviour sanitizers, leaks included.
#   tests/tour_sanitized.sh BUILD       builds build-sanitize beside the tree's other build folders
# What libraries keep until exit is named in lsan.supp; whole stacks say whose it is, and cost time.
set -eu
build=$(cd "${1:?usage: tour_sanitized.sh BUILD}" && pwd)
top=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-sanitized.XXXXXX")
trap 'rm -rf "$folder"' EXIT
sanitized=${SANITIZED:-$top/build-sanitize}
[ -f "$sanitized/build.ninja" ] || meson setup "$sanitized" "$top" -Db_sanitize=address,undefined -Db_lundef=false -Dpreload=disabled >/dev/null
ninja -C "$sanitized" viewer/kalloscope-viewer >/dev/null
"$build/kalloscope" record -q -o "$folder/ls.kalloscope" -- ls -R /usr/share/doc/libc6 /etc >/dev/null 2>&1
export VIEWER="$sanitized/viewer/kalloscope-viewer" XDG_CONFIG_HOME="$folder" XDG_STATE_HOME="$folder" GSETTINGS_BACKEND=memory GSK_RENDERER=cairo LC_ALL=C.UTF-8 SLOWNESS=${SLOWNESS:-5}
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:fast_unwind_on_malloc=0:malloc_context_size=16 UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS="suppressions=$top/tests/lsan.supp:print_suppressions=0"
xvfb-run -w 30 -a -s "-screen 0 1280x800x24 -noreset" dbus-run-session -- /usr/bin/python3 "$top/tests/tour.py" "$build" "$folder/ls.kalloscope"
