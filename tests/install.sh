#!/bin/sh
# An installed tree, moved to where nobody configured it: complete, and all parts find each other.
#   tests/install.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: install.sh BUILD}" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-install.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD
n=0
failed=0

# check NAME COMMAND...: it succeeds
check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >out 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' out | tail -5
		failed=1
	fi
}

# The prefix, whatever it was, becomes $folder/moved.
meson install -C "$build" --no-rebuild --quiet --destdir "$folder/staged" >out 2>&1
mv "$(dirname "$(dirname "$(find staged -path '*/bin/kalloscope')")")" moved
check 'meson install' [ -x moved/bin/kalloscope ]
kalloscope=$folder/moved/bin/kalloscope
library=$(find "$folder/moved" -name libkalloscope.so)

for part in 'man/man1/kalloscope.1' 'man/man7/kalloscope-preload.7' 'bash-completion/completions/kalloscope' \
	'zsh/site-functions/_kalloscope' 'fish/vendor_completions.d/kalloscope.fish' 'doc/kalloscope/README.md'; do
	check "there is $part" [ -s "moved/share/$part" ]
done
for command in $("$kalloscope" --help | sed -n 's/^  \([a-z-]*\)  *[a-z].*/\1/p'); do
	check "there is a page of $command" [ -s "moved/share/man/man1/kalloscope-$command.1" ]
done
broken=
for page in README.md viewer/TUTORIAL.md; do
	for link in $(grep -o '](\([^)#]*\))' "moved/share/doc/kalloscope/$page" | sed 's/](\(.*\))/\1/' | grep -v ^http); do
		[ -e "moved/share/doc/kalloscope/$(dirname "$page")/$link" ] || broken="$broken $page:$link"
	done
done
check "links of the installed documentation lead to files:$broken" [ -z "$broken" ]

check 'record finds the library' "$kalloscope" record -q -o a.kalloscope -- ls /
check 'the recording is whole' "$kalloscope" verify a.kalloscope
check 'run finds the library' "$kalloscope" run -- true
env LD_PRELOAD="$library" true
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	bare=$(ls true.*.kalloscope 2>/dev/null)
	[ -n "$bare" ] && [ ! -e "$bare.spool" ] && break
	sleep 0.3
done
check 'the library finds the recorder' "$kalloscope" verify "$bare"
if find moved -name kalloscope-render | grep -q .; then
	check 'render finds the drawing program' "$kalloscope" render -o a.png a.kalloscope
	check 'it drew' [ -s a.png ]
fi
if command -v desktop-file-validate >/dev/null && [ -d moved/share/applications ]; then
	check 'the desktop file is valid' desktop-file-validate moved/share/applications/*.desktop
fi
# A package is compiled with flags of its own
check 'the library takes the flags of a package' sh -c '
	for f in "$1"/preload/*.c; do
		cc -std=c11 -D_GNU_SOURCE -O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -I"$1" -I"$1/preload" -fPIC -c "$f" -o flags.o || exit 1
	done' sh "$source"
echo "1..$n"
exit $failed
