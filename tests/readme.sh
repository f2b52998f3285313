#!/bin/sh
# Every SQL query of README.md runs in the bare sqlite3 shell on a fresh recording and answers
# with at least one row.   tests/readme.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: readme.sh BUILD}" && pwd)
readme=$(cd "$(dirname "$0")/.." && pwd)/README.md
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-readme.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1

"$build/kalloscope" record -q -o ls.kalloscope -- ls -lR /usr/share/doc >/dev/null || exit 1
awk '/^```sql/ { n++; on = 1; next } /^```/ { on = 0 } on { print > ("query" n ".sql") }' "$readme"
n=0
failed=0
for query in query*.sql; do
	n=$((n + 1))
	if rows=$(sqlite3 ls.kalloscope <"$query" 2>error) && [ -n "$rows" ]; then
		echo "ok $n - $(head -2 "$query" | tail -1)"
		echo "$rows" | sed 's/^/# /' | head -3
	else
		echo "not ok $n - $query: $(head -1 error)"
		failed=1
	fi
done
echo "1..$n"
[ $n -ge 5 ] || failed=1
exit $failed
