#!/bin/sh
# The kalloscope command: wrong usage and bad input with their exit status and messages, help, a
# recording of a program whose every allocation is known, and what the shell sees of a recorded
# program.   tests/cli.sh BUILD      TAP on stdout
set -u
build=$(cd "${1:?usage: cli.sh BUILD}" && pwd)
kalloscope=$build/kalloscope
known=$build/tests/programs/known
tests=$(cd "$(dirname "$0")" && pwd)
source=$tests/programs/known.c
folder=$(mktemp -d "${TMPDIR:-/tmp}/kalloscope-cli.XXXXXX")
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
. "$(dirname "$0")/tap.sh"
cd "$folder" || exit 1
unset KALLOSCOPE_OPTIONS LD_PRELOAD
export LC_ALL=C.UTF-8

query() { "$kalloscope" sql -n known.kalloscope "$1"; }
line_of() { grep -n "LINE $1\$" "$source" | grep -v drop_ | cut -d: -f1 | tail -1; }

# --- usage
expect_of 2 'Commands:' 'no command prints the overview' "$kalloscope"
expect_of 0 'Commands:' '--help' "$kalloscope" --help
expect_of 0 '^kalloscope [0-9]' '--version' "$kalloscope" --version
expect_of 2 "did you mean 'record'" 'unknown command names the nearest' "$kalloscope" recrod
expect_of 2 "unknown command 'xyzzy'" 'unknown command with none near' "$kalloscope" xyzzy
for c in record run info view sql proc translate report export diff check render verify recover pack unpack symbols recorder; do
	expect_of 0 "^Usage: kalloscope $c" "$c --help" "$kalloscope" $c --help
	expect_of 2 "unknown option '--bogus'" "$c: unknown option" "$kalloscope" $c --bogus
	[ $c = record ] || [ $c = run ] || [ $c = recorder ] ||
		expect_of 2 'expected' "$c without operands" "$kalloscope" $c
done
commands=$("$kalloscope" --help | sed -n 's/^  \([a-z-]*\)  *[a-z].*/\1/p')
expect_of 0 '' 'the overview lists commands' test "$(echo "$commands" | wc -l)" -ge 16
# The file of a page; some are another name of one (.so).
page() {
	sed -n "s|^\.so man1/|$tests/../db/man/|p;q" "$tests/../db/man/kalloscope-$1.1" | grep . ||
		echo "$tests/../db/man/kalloscope-$1.1"
}
for c in $commands; do
	# a page has a heading for each option, and no others
	"$kalloscope" $c --help | sed -n 's/^  [- ].*\(--[a-z0-9-]*\).*/\1/p' | grep -v -x -e --help | sort >help_options
	sed -n '/^\.TP/{n;s/\\-/-/g;s/^\.[A-Z]* .*\(--[a-z0-9-]*\).*/\1/p;}' "$(page "$c")" | sort -u >page_options
	is "the manual page of $c has its options" "$(cat help_options)" "$(cat page_options)"
	expect_of 0 '' "kalloscope(1) names $c" grep -q -x ".BR kalloscope-$c (1)" "$tests/../db/man/kalloscope.1"
done
if command -v mandoc >/dev/null; then
	is 'the manual pages are clean' '' "$(cd "$tests/../db/man" && grep -L '^\.so' ./*.[17] | xargs mandoc -T lint -W warning 2>&1)"
	is 'their references lead to pages' '' "$(cat "$tests"/../db/man/*.[17] | sed -n 's/^\.BR \(kalloscope-[a-z-]*\) (\([17]\)).*/\1.\2/p' |
		sort -u | while read -r p; do [ -f "$tests/../db/man/$p" ] || echo "$p"; done)"
fi
expect_of 2 "did you mean '--json'" 'unknown option names the nearest' "$kalloscope" info --jsn x
expect_of 2 "did you mean '--vmalloc'" 'record: unknown option names the nearest' "$kalloscope" record --vmaloc=1G -- true
expect_of 2 'needs an argument' 'option without its argument' "$kalloscope" record -o
expect_of 2 'too many operands' 'too many operands' "$kalloscope" info a b

# --- run: nothing but the allocator
expect_of 2 "'--' is missing" 'run: -- missing' "$kalloscope" run ls
expect_of 2 'no program' 'run: program missing' "$kalloscope" run --
expect_of 2 "did you mean '--vmalloc'" 'run: unknown option names the nearest' "$kalloscope" run --vmaloc=1G -- true
expect_of 2 'cannot be built' 'run: impossible machine' "$kalloscope" run --ram=20M -- true
expect_of 127 'not found' 'run: program not in PATH' "$kalloscope" run -- no-such-program-xyz
expect_of 7 '' "run: the program's status" "$kalloscope" run -- sh -c 'exit 7'
greedy='$n = 2e8; $x = "a" x $n; print length($x), "\n"'
expect_of 0 '^200000000' 'run: a machine of 4 GiB has 200 MB' "$kalloscope" run -- perl -e "$greedy"
expect_of 0 '^200000000' 'run: a full machine spills' "$kalloscope" run --ram=64M -- perl -e "$greedy"
expect_of 1 'Out of memory' 'run: --ram and --fail reach the machine' "$kalloscope" run --ram=64M --fail -- perl -e "$greedy"
expect_of 1 'Out of memory' 'run: and the machine of a child' "$kalloscope" run --ram=64M --fail -- sh -c 'perl -e "$1"; exit $?' - "$greedy"
mkdir empty && (cd empty && "$kalloscope" run -- true)
is 'run: leaves no file' '' "$(ls -A empty)"

# --- record: programs that cannot be recorded, before anything is run
expect_of 2 "'--' is missing" 'record: -- missing' "$kalloscope" record ls
expect_of 2 'no program' 'record: program missing' "$kalloscope" record --
expect_of 2 'not a value' 'record: bad value' "$kalloscope" record --cpus=99 -- true
expect_of 2 'cannot be built\|not a value' 'record: impossible machine' "$kalloscope" record --ram=20M -- true
expect_of 127 'not found' 'record: program not in PATH' "$kalloscope" record -- no-such-program-xyz
expect_of 127 'not found' 'record: program not at its path' "$kalloscope" record -- ./no-such-program
expect_of 126 'is a folder' 'record: a folder' "$kalloscope" record -- /tmp
echo text >plain
expect_of 126 'not executable' 'record: not executable' "$kalloscope" record -- ./plain
printf '#!/no/such/interpreter\n' >script && chmod +x script
expect_of 127 'interpreter' 'record: interpreter missing' "$kalloscope" record -- ./script
if printf 'int main(void) { return 0; }\n' >s.c && cc -static -o static s.c 2>/dev/null; then
	expect_of 2 'statically linked' 'record: static program' "$kalloscope" record -- ./static
	printf '#!%s/static\n' "$folder" >sscript && chmod +x sscript
	expect_of 2 'statically linked' 'record: script of a static interpreter' "$kalloscope" record -- ./sscript
fi
cp "$known" elf32 && printf '\001' | dd of=elf32 bs=1 seek=4 conv=notrunc 2>/dev/null
expect_of 2 '32-bit' 'record: 32-bit program' "$kalloscope" record -- ./elf32
cp "$known" suid && if [ "$(id -u)" = 0 ] && chown nobody suid && chmod u+s suid; then
	expect_of 2 'set-user-ID' 'record: set-user-ID program' "$kalloscope" record -- ./suid
fi
if cc -fsanitize=address -o asan s.c 2>/dev/null; then
	expect_of 2 'sanitizer' 'record: a program with a sanitizer' "$kalloscope" record -- ./asan
fi
echo old >exists
expect_of 2 'exists.*--force' 'record: the file exists' "$kalloscope" record -o exists -- "$known"
is 'record: an existing file is left alone' old "$(cat exists)"
expect_of 2 'cannot create' 'record: the folder does not exist' "$kalloscope" record -o no/such/folder/x -- "$known"
is 'record: nothing is left behind by refusals' '' "$(ls -d ./*.spool ./*.kalloscope 2>/dev/null)"

# --- a known program
expect_of 0 'kalloscope view known.kalloscope\|kalloscope view .*known.kalloscope' 'record says what to type next' \
	"$kalloscope" record -o known.kalloscope -- "$known"
is 'the session folder is gone' '' "$(ls -d known.kalloscope.spool 2>/dev/null)"
expect_of 0 'complete and consistent' 'verify' "$kalloscope" verify known.kalloscope
is 'ten malloc of 100 bytes in make_node' '10|1000' "$(query "
	SELECT count(*) || '|' || sum(req) FROM events e JOIN stacks s USING (stack)
	WHERE e.kind = 'malloc' AND s.depth = 0 AND s.function = 'make_node'")"
is 'the line of the malloc' "$(line_of make_node)" "$(query "
	SELECT DISTINCT s.line FROM events e JOIN stacks s USING (stack)
	WHERE e.kind = 'malloc' AND s.depth = 0 AND s.function = 'make_node'")"
is 'the line and file of its caller' "build:$(line_of build_node):known.c" "$(query "
	SELECT DISTINCT c.function || ':' || c.line || ':' || replace(c.file, rtrim(c.file, replace(c.file, '/', '')), '')
	FROM events e JOIN stacks s USING (stack) JOIN stacks c ON c.stack = s.stack AND c.depth = 1
	WHERE e.kind = 'malloc' AND s.depth = 0 AND s.function = 'make_node' AND c.function = 'build'")"
is 'nine of them are freed, by drop' '9' "$(query "
	SELECT count(*) FROM events f JOIN events a ON a.id = f.ref JOIN stacks s ON s.stack = a.stack AND s.depth = 0
	JOIN stacks d ON d.stack = f.stack AND d.depth = 0
	WHERE f.kind = 'free' AND s.function = 'make_node' AND d.function = 'drop' AND f.addr = a.addr")"
is 'calloc 100 x 40' '4000|make_table' "$(query "
	SELECT e.req || '|' || s.function FROM events e JOIN stacks s USING (stack)
	WHERE e.kind = 'calloc' AND s.depth = 0 AND s.function = 'make_table'")"
is 'realloc takes its block over' '200000|4000' "$(query "
	SELECT r.req || '|' || a.req FROM events r JOIN events a ON a.id = r.ref WHERE r.kind = 'realloc' AND r.req = 200000")"
is 'two mmap, two munmap' 'mmap:4096 mmap:10485760 munmap:4096 munmap:10485760' "$(query "
	SELECT group_concat(kind || ':' || req, ' ') FROM (SELECT kind, req FROM events
	WHERE kind IN ('mmap', 'munmap') AND req IN (4096, 10485760) ORDER BY kind, id)")"
is 'one page is a kmap window, ten MiB a vmalloc area' 'kmap vmalloc' "$(query "
	SELECT group_concat(path, ' ') FROM (SELECT path FROM events WHERE kind = 'mmap' AND req IN (4096, 10485760) ORDER BY id)")"
is 'the one leak of make_node' '1|100' "$(query "
	SELECT live_count || '|' || live_bytes FROM sites WHERE function = 'make_node' AND live_count")"

if command -v c++ >/dev/null; then
	cat >names.cc <<'CC'
#include <string>
namespace shop {
struct item { std::string name; __attribute__((noinline)) item(const char *n) : name(n) {} };
template <class T> __attribute__((noinline)) void keep(const char *s) { T t(s); asm volatile("" : : "g"(&t) : "memory"); }
}
int main() { shop::keep<shop::item>("a string that is longer than the small buffer inside"); }
CC
	c++ -O1 -g names.cc -o names && "$kalloscope" record -q -o names.kalloscope -- ./names
	is 'C++ names are demangled' 'shop::item::item(char const*) void shop::keep<shop::item>(char const*) main' "$(
		"$kalloscope" sql -n names.kalloscope "SELECT group_concat(function, ' ') FROM (SELECT * FROM stacks
		WHERE stack = (SELECT stack FROM stacks WHERE function LIKE 'shop::item::item(%' LIMIT 1)
		AND (function LIKE '%shop::%(%' OR function = 'main') AND function NOT LIKE 'std::%' ORDER BY depth, inlined)")"
	cat >reserve.c <<'CC'
#include <stdlib.h>
#include <sys/mman.h>
int main(void)
{
	mmap(NULL, 1ul << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 1ul << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return !malloc(1000000);
}
CC
	c++ -x c reserve.c -o reserve && "$kalloscope" record -q -o reserve.kalloscope -- ./reserve
	is 'addresses kept free are not memory held' '1|1' "$(sqlite3 reserve.kalloscope "SELECT
		max(peak_bytes) BETWEEN 1000000 AND 2000000, max(live_bytes) BETWEEN 1000000 AND 2000000 FROM process")"
	cp names bare_names && strip bare_names && "$kalloscope" record -q -o stripped.kalloscope -- ./bare_names
	is 'a stripped program gives module+offset' 1 "$("$kalloscope" sql -n stripped.kalloscope "
		SELECT count(*) > 0 FROM stacks WHERE function LIKE '%bare_names+0x%'")"
fi

cp known.kalloscope unnamed && sqlite3 unnamed 'DELETE FROM frame'
expect_of 0 'addresses have names' 'symbols' "$kalloscope" symbols unnamed
is 'symbols: the names are back' "$(query 'SELECT count(*) FROM frame')" "$("$kalloscope" sql -n unnamed 'SELECT count(*) FROM frame')"
sqlite3 unnamed 'UPDATE meta SET value = 0 WHERE key = '"'complete'"
expect_of 1 'still written' 'symbols: an unfinished recording' "$kalloscope" symbols unnamed

# --- sql
is 'sql: tabs and header' "$(printf 'a\tb\n1\tx y')" "$("$kalloscope" sql known.kalloscope "SELECT 1 AS a, 'x' || char(9) || 'y' AS b")"
is 'sql: csv' "$(printf 'a,b\n1,"x,""y"')" "$("$kalloscope" sql --csv known.kalloscope "SELECT 1 AS a, 'x,\"y' AS b")"
is 'sql: json' '[ {"a": 1, "b": null, "c": "x\"y"}]' "$("$kalloscope" sql --json known.kalloscope "SELECT 1 AS a, NULL AS b, 'x\"y' AS c" | tr -d '\n')"
expect_of 2 'readonly' 'sql: does not write' "$kalloscope" sql known.kalloscope 'DELETE FROM event_row'
expect_of 2 'no such table' 'sql: an error of the query' "$kalloscope" sql known.kalloscope 'SELECT * FROM no_such_table'
expect_of 2 'one query at a time' 'sql: two queries' "$kalloscope" sql known.kalloscope 'SELECT 1; SELECT 2'
if command -v script >/dev/null; then
	is 'sql: aligned on a terminal' 'id  kind' "$(script -qec "$kalloscope sql known.kalloscope 'SELECT 1 AS id, 2 AS kind'" /dev/null </dev/null | head -1 | tr -d '\r')"
fi

# --- info, proc
expect_of 0 'not freed' 'info' "$kalloscope" info known.kalloscope
is 'info --json is JSON' "known $("$kalloscope" sql -n known.kalloscope 'SELECT max(id) FROM events')" "$(
	"$kalloscope" info --json known.kalloscope | python3 -c '
import json, sys, os
i = json.load(sys.stdin)
print(os.path.basename(i["program"]), i["events"])')"
for f in buddyinfo zoneinfo slabinfo meminfo pagetypeinfo iomem vmstat extfrag_index unusable_index; do
	expect_of 0 '[0-9]' "proc $f" "$kalloscope" proc $f known.kalloscope --at end
done
expect_of 0 'Zone PFN ranges' 'boot-log of a recording' "$kalloscope" boot-log known.kalloscope
expect_of 0 'MB LOWMEM' 'boot-log of a machine' "$kalloscope" boot-log --ram=512M --model=3.4
expect_of 0 '384MB LOWMEM' 'boot-log with lowmem given up' "$kalloscope" boot-log --ram=512M --highmem=128M --model=3.4.2
expect_of 0 ' user: 0000000000100000 - 0000000010000000 (usable)' 'boot-log with a changed memory map' \
  "$kalloscope" boot-log '--e820-params=mem=256M memmap=1M@1G'
expect_of 0 'MEMBLOCK configuration:' 'boot-log with memblock' "$kalloscope" boot-log --memblock
expect_of 0 'MB LOWMEM' 'boot-log without 4 MiB pages' "$kalloscope" boot-log --e820-params=mem=nopentium
expect_of 2 'no memory' 'boot-log says why a memory map is refused' "$kalloscope" boot-log --e820-params=mem=0
expect_of 0 'MB LOWMEM' 'boot-log with the settings of a kernel' "$kalloscope" boot-log --ram=512M \
  --slab-tune=size-128:54:27:8 --lowmem-reserve-ratio=128,16,16 --percpu-pagelist-fraction=8 --slab-debug
expect_of 2 'l1-bytes=48: not a value' 'a build for lines that no CPU has' "$kalloscope" boot-log --l1-bytes=48
expect_of 2 'cache-line=16: not a value' 'a cache line the kernel never finds' "$kalloscope" boot-log --cache-line=16
expect_of 2 'exists after boot' 'a tunable of no cache' "$kalloscope" boot-log --slab-tune=nobody:54:27:8
expect_of 2 'slab-tune=size-128: not a value' 'a tunable without numbers' "$kalloscope" boot-log --slab-tune=size-128
expect_of 2 'fraction=7: not a value' 'a fraction too large' "$kalloscope" boot-log --percpu-pagelist-fraction=7
expect_of 2 'ratio=1,2: not a value' 'ratios of two zones' "$kalloscope" boot-log --lowmem-reserve-ratio=1,2
expect_of 2 'cannot be' 'boot-log of an impossible machine' "$kalloscope" boot-log --vmalloc=3G
is 'export: ten kmalloc of 100 bytes, and as many lines as said' '10 0' "$(
	"$kalloscope" export -o ftrace known.kalloscope
	said=$(sed -n 's|.*entries-written: \([0-9]*\)/.*|\1|p' ftrace)
	echo "$(grep -c 'kmalloc: .*bytes_req=100 bytes_alloc=128 gfp_flags=GFP_KERNEL$' ftrace)" \
		"$((said - $(grep -vc '^#' ftrace)))")"
expect_of 2 'there are: ftrace' 'export: unknown format' "$kalloscope" export --format xyzzy known.kalloscope
expect_of 0 'Node 0, zone  *DMA' 'proc --at #N' "$kalloscope" proc buddyinfo known.kalloscope --at '#1'
expect_of 0 'Node 0, zone  *DMA' 'proc --at TIME' "$kalloscope" proc buddyinfo known.kalloscope --at 1ms
expect_of 2 "not an event" 'proc --at nonsense' "$kalloscope" proc buddyinfo known.kalloscope --at soon
expect_of 2 "did you mean 'slabinfo'" 'proc: unknown file' "$kalloscope" proc slabinf known.kalloscope
expect_of 2 'no process 9' 'proc: unknown process' "$kalloscope" proc meminfo known.kalloscope --process 9
mapped=$(query "SELECT id FROM events WHERE kind = 'mmap' AND req = 10485760")
area=$(query "SELECT printf('0x%08x', addr + 4096) FROM events WHERE id = $mapped")
expect_of 0 'page 1 of the vmalloc area' 'translate: the owner' "$kalloscope" translate "$area" known.kalloscope --at "$mapped"
expect_of 0 "^  block  *event #$mapped: mmap of 10485760 bytes (vmalloc) at .*, offset 4096 by main" 'translate: the block' \
	"$kalloscope" translate "$area" known.kalloscope --at "$mapped"
expect_of 0 "^  mapped  *event #$mapped: map_vm_area" 'translate: the event that mapped it' \
	"$kalloscope" translate "$area" known.kalloscope --at "$mapped"
expect_of 1 'page fault, error code 0' 'translate: not mapped before' "$kalloscope" translate "$area" known.kalloscope --at $((mapped - 1))
expect_of 1 "gone since event #$((mapped + 1)): munmap" 'translate: gone after' "$kalloscope" translate "$area" known.kalloscope
leak=$(query "SELECT printf('7fff%08x', e.addr) FROM events e WHERE e.kind = 'malloc' AND e.req = 100
	AND NOT EXISTS (SELECT 1 FROM events f WHERE f.ref = e.id)")
expect_of 0 'owner  *size-128, object' 'translate: an object, by the pointer of the program' "$kalloscope" translate "$leak" known.kalloscope
expect_of 0 'malloc of 100 bytes (kmalloc) .* by make_node (.*known.c:' 'translate: its call' "$kalloscope" translate "$leak" known.kalloscope
expect_of 2 'not an address' 'translate: no address' "$kalloscope" translate here known.kalloscope
is 'the 10 MiB area is in vmallocinfo at its event only' '0 1 0' "$(
	for at in $((mapped - 1)) "$mapped" $((mapped + 1)); do
		"$kalloscope" proc vmallocinfo known.kalloscope --at "$at" | grep -c ' 10489856 '
	done | paste -sd' ')"
expect_of 0 ' 10489856 [a-z_]*+0x[0-9a-f]*/0x[0-9a-f]* pages=2560 vmalloc vpages$' 'vmallocinfo: the caller as the kernel prints it' \
	"$kalloscope" proc vmallocinfo known.kalloscope --at "$mapped"
expect_of 0 'pte\[1023\] .*067 frame [0-9]* rw user$' "translate: the process's own stack" "$kalloscope" translate 0xbffff000 known.kalloscope
expect_of 0 'process  *directory in frame [0-9]*: the same entry' 'translate: the process knows the entry' \
	"$kalloscope" translate "$area" known.kalloscope --at "$mapped"

# --- render
expect_of 2 'no picture' 'render: no output' "$kalloscope" render known.kalloscope
expect_of 2 'not an event' 'render: --at nonsense' "$kalloscope" render --at soon -o x.png known.kalloscope
if [ -x "$build/viewer/kalloscope-render" ]; then
	expect_of 0 '' 'render' "$kalloscope" render --view zones --at 3ms -o zones.png known.kalloscope
	is 'render: it is a picture' 'PNG' "$(head -c 4 zones.png | tr -d '\211')"
	"$kalloscope" render --view map -o state.png known.kalloscope >out 2>err
	"$kalloscope" render --view map --colour order -o order.png known.kalloscope >out 2>err && ! cmp -s state.png order.png
	result 'render: colours of the map' $?
	expect_of 2 'not pink' 'render: unknown colour' "$kalloscope" render --colour pink -o x.png known.kalloscope
	expect_of 0 '' 'render: call sites of what is alive' "$kalloscope" render --view sites --scope live --at 3ms -o live.png known.kalloscope
	expect_of 2 'no view' 'render: unknown view' "$kalloscope" render --view nothing -o x.png known.kalloscope
fi

# --- files that are no recordings, and damaged ones
"$kalloscope" record -q -o crowd.kalloscope -- sh -c '
# a name with a line break'"
"'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do ls / >/dev/null; done' >/dev/null
expect_of 0 'smaller ones with .* events (--processes' 'info lists the largest processes' "$kalloscope" info crowd.kalloscope
is 'info --processes lists all, a line each' 15 "$("$kalloscope" info --processes crowd.kalloscope | grep -c ' by [0-9]* *pid ')"
expect_of 2 'No such file' 'info: missing file' "$kalloscope" info nothing
cp known.kalloscope newer && sqlite3 newer 'PRAGMA user_version = 9999'
for c in info verify 'proc buddyinfo' 'report peak' translate\ 0xc0000000; do
	expect_of 2 'newer' "$c: a newer schema" "$kalloscope" $c newer
done
cp known.kalloscope nobody && sqlite3 nobody 'DELETE FROM process'
for c in 'proc buddyinfo' 'report peak' translate\ 0xc0000000; do
	expect_of 2 'holds no process' "$c: a recording without a process" "$kalloscope" $c nobody
done
cp known.kalloscope locked && chmod 0 locked && chmod 711 .
if [ "$(id -u)" = 0 ]; then
	expect_of 2 'ermission denied' 'info: an unreadable file' setpriv --reuid=65534 --clear-groups "$kalloscope" info "$folder/locked"
else
	expect_of 2 'ermission denied' 'info: an unreadable file' "$kalloscope" info locked
fi
expect_of 2 'not a recording' 'info: a folder' "$kalloscope" info /
expect_of 2 'not a .*recording' 'info: a text file' "$kalloscope" info "$source"
head -c 50000 known.kalloscope >torn
expect_of 1 '' 'verify: a torn file' "$kalloscope" verify torn
cp known.kalloscope wrong && sqlite3 wrong 'DELETE FROM event_row WHERE rowid = 5'
expect_of 1 'NOT OK *ids' 'verify: a missing event' "$kalloscope" verify wrong
cp known.kalloscope wrong && sqlite3 wrong 'UPDATE event_row SET addr = 32 + ifnull(addr, (SELECT a.addr FROM event_row a WHERE a.rowid = event_row.rowid - event_row.arg)) WHERE arg'
expect_of 1 'NOT OK *frees' 'verify: a free of another address' "$kalloscope" verify wrong
expect_of 1 'NOT OK *log' 'verify: the log tells of other addresses' "$kalloscope" verify wrong
cp known.kalloscope wrong && sqlite3 wrong 'UPDATE log SET data = substr(data, 1, 100)'
expect_of 1 'NOT OK *log' 'verify: a damaged log' "$kalloscope" verify wrong
cp known.kalloscope wrong && sqlite3 wrong 'UPDATE keyframe SET data = zeroblob(64)'
expect_of 1 'NOT OK' 'verify: a damaged keyframe' "$kalloscope" verify wrong
cp known.kalloscope wrong && sqlite3 wrong "UPDATE meta SET value = 0 WHERE key = 'complete'"
expect_of 1 'NOT OK *complete' 'verify: an incomplete recording' "$kalloscope" verify wrong
expect_of 0 'nothing to recover' 'recover: a complete recording' "$kalloscope" recover known.kalloscope
expect_of 2 'No such file' 'recover: nothing there' "$kalloscope" recover nothing
mkdir empty
expect_of 2 'no spool' 'recover: a folder without a spool' "$kalloscope" recover empty

# --- the shell's view of a recorded program
rec() { "$kalloscope" record -q -f -o shell.kalloscope -- "$@"; }
rec sh -c 'exit 7'
is 'exit status' 7 $?
rec sh -c 'kill -TERM $$'
is 'ended by a signal: 128 + n' 143 $?
rec sh -c 'kill -KILL $$'
is 'killed: 128 + 9' 137 $?
is 'a killed program leaves a consistent recording' 0 "$("$kalloscope" verify shell.kalloscope >/dev/null; echo $?)"
is 'standard input and output' 'HELLO' "$(echo hello | rec tr a-z A-Z)"
is 'standard error is the program'"'"'s' 'oops' "$(rec sh -c 'echo oops >&2' 2>&1)"
is 'arguments with spaces' 'a  b|c' "$(rec sh -c 'echo "$1|$2"' sh 'a  b' c)"
is 'the environment is passed on' 'yes' "$(KALLOSCOPE_TEST=yes rec sh -c 'echo $KALLOSCOPE_TEST')"
is 'no descriptor is left in the program' "$(sh -c 'ls /proc/self/fd' | wc -l)" "$(rec sh -c 'ls /proc/self/fd' | wc -l)"
is 'a pipe behind it ends' 'done' "$(timeout 30 sh -c "'$kalloscope' record -q -f -o shell.kalloscope -- echo done | cat")"
printf 'echo from a script "$1"\n' >noline && chmod +x noline
is 'a script without an interpreter line' 'from a script x' "$(rec ./noline x)"
printf '#!/usr/bin/env sh\necho $0\n' >envline && chmod +x envline
is 'a script of env' './envline' "$(rec ./envline)"
mkdir default && (cd default && "$kalloscope" record -q -- true)
is 'the default name' 1 "$(ls default | grep -c '^true\.[0-9]*\.kalloscope$')"
is '-q is quiet' '' "$(rec true 2>&1)"
KALLOSCOPE_OPTIONS='--ram=64M --cpus=1' rec true
is 'options from the environment' '1' "$("$kalloscope" sql -n shell.kalloscope 'SELECT ncpus FROM process')"
KALLOSCOPE_OPTIONS='ram=64M' expect_of 2 "'ram=64M' is not an option" 'a word in the environment that is no option' \
	"$kalloscope" record -q -f -o shell.kalloscope -- true
rec --cpus=1 2>/dev/null
is 'what follows -- is the program' 127 $?
"$kalloscope" record -q -f -o shell.kalloscope -- sh -c 'trap "echo caught; exit 3" TERM; while :; do sleep 0.1; done' >caught &
pid=$!
sleep 1
kill -TERM $pid
wait $pid
is 'a signal sent to record reaches the program' '3 caught' "$? $(cat caught)"


# --- what the machine could not serve, and the option that helps
rec_opt() { "$kalloscope" record -q -f -o shell.kalloscope "$@" -- dd if=/dev/zero of=/dev/null bs=200M count=1 2>/dev/null; }
rec_opt
advice=$("$kalloscope" info shell.kalloscope | sed -n 's/.*first spill.*avoided by //p')
is 'info: 200 MiB do not fit into the default machine' '--vmalloc=' "$(echo "$advice" | sed 's/[0-9]*M$//')"
rec_opt $advice
is 'info: with the option it names they do' '0' "$("$kalloscope" sql -n shell.kalloscope 'SELECT count(*) FROM served WHERE reason')"

# --- a bare preload
(LD_PRELOAD=$build/preload/libkalloscope.so "$known") >out 2>err
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	bare=$(ls known.[0-9]*.kalloscope 2>/dev/null)
	[ -n "$bare" ] && [ ! -e "$bare.spool" ] && break
	sleep 0.3
done
expect_of 0 'complete and consistent' 'LD_PRELOAD alone makes a recording' "$kalloscope" verify "$bare"
is 'a pipe behind a bare preload ends with the program' 'fast' "$(
	timeout 30 sh -c "LD_PRELOAD=$build/preload/libkalloscope.so sh -c 'echo fast' | cat")"

echo "1..$n"
exit $failed
