#!/bin/sh
# Builds the Debian package from a copy of the tree, so that nothing is left in it, and has lintian
# look at it.   debian/build.sh FOLDER      the package lies in FOLDER afterwards
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "${1:?usage: build.sh FOLDER}"
folder=$(cd "$1" && pwd)

rm -rf "$folder/tree" "$folder"/kalloscope*_*
mkdir "$folder/tree"
if git -C "$source" rev-parse --git-dir >/dev/null 2>&1; then
	git -C "$source" ls-files -z --cached --others --exclude-standard
else # a tar archive of a release
	(cd "$source" && find . -path ./build -prune -o -type f -print0)
fi | tar -C "$source" --null -T - --ignore-failed-read -c | tar -x -C "$folder/tree"

cd "$folder/tree"
if ! dpkg-buildpackage -us -uc -b >"$folder/log" 2>&1; then
	tail -20 "$folder/log" >&2
	echo "dpkg-buildpackage failed; the lines above say why, the whole log is $folder/log" >&2
	exit 1
fi
cd "$folder"
rm -rf tree
lintian --fail-on error --allow-root kalloscope_*.changes
ls -l kalloscope_*.deb
