#!/bin/sh
# Whether viewer/po is up to date: every file with strings to translate is named in POTFILES, and the
# template has every string of them. `make translations` renews both.
#   tests/translations.sh [--write]      TAP on stdout
set -eu
cd "$(dirname "$0")/.."
command -v xgettext >/dev/null || { echo "1..0 # SKIP xgettext is not there"; exit 0; }
new=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-translations.XXXXXX")
trap 'rm -rf "$new"' EXIT
{
	head -1 viewer/po/POTFILES
	{ grep -rlE '(^|[^A-Za-z0-9_])(N_|_|ngettext) ?\("' viewer --include=*.c; grep -rl 'translatable="yes"' viewer --include=*.ui; } | LC_ALL=C sort
} >"$new/POTFILES"
grep -v '^#' "$new/POTFILES" >"$new/files"
# as the preset of meson and viewer/po/meson.build have it
xgettext --files-from="$new/files" -o "$new/kalloscope.pot" --package-name=kalloscope --from-code=UTF-8 --add-comments \
	--keyword=_ --keyword=N_ --keyword=C_:1c,2 --keyword=NC_:1c,2 --keyword=g_dcgettext:2 --keyword=g_dngettext:2,3 \
	--keyword=g_dpgettext2:2c,3 --keyword=add:4 --flag=N_:1:pass-c-format --flag=C_:2:pass-c-format \
	--flag=NC_:2:pass-c-format --flag=g_dngettext:2:pass-c-format --flag=g_strdup_printf:1:c-format \
	--flag=g_string_printf:2:c-format --flag=g_string_append_printf:2:c-format --flag=g_error_new:3:c-format \
	--flag=g_set_error:4:c-format
if [ "${1:-}" = --write ]; then
	cp "$new/POTFILES" "$new/kalloscope.pot" viewer/po/
	echo "$(grep -c '^msgid' viewer/po/kalloscope.pot) strings of $(wc -l <"$new/files") files in viewer/po/kalloscope.pot"
	exit 0
fi
failed=0 n=0
same() { # file, what it shows
	n=$((n + 1))
	grep -E "$3" "$new/$1" >"$new/wanted" || :
	if grep -E "$3" "viewer/po/$1" | cmp -s - "$new/wanted"; then
		echo "ok $n - $2"
	else
		failed=1
		echo "not ok $n - $2: run make translations"
		grep -E "$3" "viewer/po/$1" | diff - "$new/wanted" | head -20 | sed 's/^/# /'
	fi
}
same POTFILES "every file with strings to translate is named" .
same kalloscope.pot "the template has every string" '^(msgid|msgid_plural|msgctxt|"[^PL])'
echo "1..$n"
exit $failed
