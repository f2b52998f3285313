#!/bin/sh
# make demo: records a real program of this machine, asks two questions in SQL, shows the machine.
# Everything it makes is in demo/ below the build folder.
set -eu
build=${1:-build}
kalloscope=$build/kalloscope
out=$build/demo
mkdir -p "$out"
recording=$out/python3.kalloscope

cat >"$out/work.py" <<'PY'
# Builds a table of orders, writes it as JSON, reads it back, and sums it up.
import json
orders = [{"id": i, "customer": f"customer {i % 997}", "lines": [{"sku": f"sku-{i * j % 4999}", "n": j}
          for j in range(1, 6)]} for i in range(6000)]
text = json.dumps(orders)
total = {}
for order in json.loads(text):
    total[order["customer"]] = total.get(order["customer"], 0) + sum(l["n"] for l in order["lines"])
print(f"{len(text)} bytes of JSON, {len(total)} customers, {sum(total.values())} pieces")
PY

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }

say "Recording python3 (building, dumping and parsing JSON)"
PYTHONMALLOC=malloc "$kalloscope" record --force -o "$recording" -- python3 "$out/work.py"

say "Which size classes did the program live in? (SQL)"
"$kalloscope" sql "$recording" "
SELECT alloc AS block_size, count(*) AS blocks, sum(alloc - req) AS wasted_bytes
FROM events WHERE kind IN ('malloc', 'calloc') AND path IN ('kmalloc', 'slab')
GROUP BY alloc ORDER BY blocks DESC LIMIT 6"

say "What did the machine do for it? (SQL)"
"$kalloscope" sql "$recording" "
SELECT kind, count(*) AS transitions, sum(count) AS times
FROM transitions GROUP BY kind ORDER BY times DESC LIMIT 8"

say "Free blocks per order when the program ended (kalloscope proc buddyinfo)"
"$kalloscope" proc buddyinfo "$recording" --at end

viewer=$build/viewer/kalloscope-viewer
if [ -x "$viewer" ] && { [ -n "${DISPLAY:-}" ] || [ -n "${WAYLAND_DISPLAY:-}" ]; } && [ -z "${CI:-}" ]; then
	say "Opening the viewer"
	exec "$kalloscope" view "$recording"
fi
say "No display here, so four views as pictures:"
for view in map zones slab highmem; do
	"$kalloscope" render --view "$view" --at end -o "$out/$view.png" "$recording"
	echo "$out/$view.png"
done
say "With a display: $kalloscope view $recording"
