#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""What breaks preload allocators: each hazard run native and recorded, side by side.

  tests/hazards.py BUILD [--tap] [--long] [WORD...]   all, or those whose name contains a WORD

--long: those that take minutes, instead.

Same output, errors and exit status (128 + N for signal N) as without us; and the recording verifies
with nothing lost, or it says itself why it could not go on. The table: hazard, status native and
recorded, events, records lost, verified. What is recorded in tests/hazards/*.c says why it is one.
"""
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from side_by_side import Bench, Outcome, Skip, compare

SECONDS = 900 if "--long" in sys.argv else 120  # for one program; a hang is a failure
ROOT = os.geteuid() == 0


def recorded(words, options=("--dump-state",), env=None, before=None, events=1, also=None, undefined=False):
    """A hazard that is a command: the words, run natively and under `record`.

    undefined: what the program does is not allowed, and libc may end it; we do not.
    """

    def run(b):
        o = Outcome()
        command = words(b)
        if before:
            before(b)
        native = b.run(command, env, 10 if undefined else None)
        if before:
            before(b)
        recording = str(b.folder / "recording.kalloscope")
        result = b.run([b.kalloscope, "record", "-q", "-o", recording, *options, "--", *command], env)
        if undefined:
            o.native, o.recorded = native[2], result[2]
            o.check(result[2] == 0 and result[0] and not result[1], f"status {result[2]}: {result[1].decode()!r}")
        else:
            compare(o, native, result)
        b.judge(o, recording)
        if o.events != "-":
            o.check(o.events >= events, f"only {o.events} events")
        if also and not o.wrong:
            also(b, o, recording)
        return o

    return run


def hazard(name, *args, **more):
    return recorded(lambda b: [b.hazard(name), *args], **more)


def shell(line, **more):
    """A line for the shell, formatted with the folders and programs of the bench."""
    return recorded(lambda b: ["sh", "-c", line.format(h=b.build / "tests/hazards", p=b.build / "tests/programs")],
                    **more)


def as_root(run):
    def only(b):
        if not ROOT:
            raise Skip("needs root")
        return run(b)

    return only


def in_namespaces(run):
    def only(b):
        if not ROOT or b.run(["unshare", "-m", "-p", "-f", "true"])[2]:
            raise Skip("needs root and namespaces")
        return run(b)

    return only


# --- what one command cannot say

def bare(words, env=None):
    """Under LD_PRELOAD alone; the library finds and starts the recorder."""

    def run(b):
        o = Outcome()
        command = words(b)
        native = b.run(command, env)
        preload = " ".join(filter(None, [b.library, (env or {}).get("LD_PRELOAD")]))
        result = b.run(command, {**(env or {}), "LD_PRELOAD": preload})
        compare(o, native, result)
        b.judge(o, b.finished())
        return o

    return run


def bare_shell(line):
    return bare(lambda b: ["sh", "-c", line.format(h=b.build / "tests/hazards", p=b.build / "tests/programs")])


def copy_program(name):
    def copy(b):
        shutil.copy(b.hazard(name), b.folder / name)

    return copy


def other_preload(first):
    """A second preloaded library, before and after ours."""

    def run(b):
        o = Outcome()
        other = b.hazard("libother_preload.so")
        command = [b.program("cases"), "align"]
        native = b.run(command, {"LD_PRELOAD": other})
        both = [other, b.library] if first else [b.library, other]
        result = b.run(command, {"LD_PRELOAD": " ".join(both)})
        compare(o, native, result)
        b.judge(o, b.finished())
        return o

    return run


def refused(compiler, words, mode=0o755, user=None):
    """A program nothing can be preloaded into: refused with the reason, and unharmed as a child."""

    def run(b):
        o = Outcome()
        source, program = b.folder / "program.c", b.folder / "program"
        source.write_text("int main(void) { return 3; }\n")
        os.chmod(b.folder, 0o777)
        tool = shutil.which(compiler[0])
        if not tool or b.run([*compiler, "-o", str(program), str(source)])[2]:
            raise Skip(f"{' '.join(compiler)} does not work here")
        program.chmod(mode)
        prefix = ["setpriv", f"--reuid={user}", "--clear-groups"] if user else []
        o.native = b.run([*prefix, str(program)])[2]
        recording = str(b.folder / "recording.kalloscope")
        out, err, o.recorded = b.run([*prefix, b.kalloscope, "record", "-o", recording, "--", str(program)])
        o.check(o.native == 3 and o.recorded == 2, f"status {o.recorded}, to be refused with 2")
        o.check(words in err.decode(), f"it says {err.decode()!r}")
        o.check(not os.path.exists(recording), "a recording of nothing")
        o.note = "refused"
        return o

    return run


def foreign_child(compiler):
    """A program nothing can be preloaded into, started by one that is recorded, in every way there is."""

    def make(b):
        (b.folder / "program.c").write_text("#include <stdio.h>\nint main(void) { puts(\"foreign\"); return 3; }\n")
        (b.folder / "script").write_text(f"#!{b.folder}/program\n")
        if not shutil.which(compiler[0]) or b.run([*compiler, "-o", str(b.folder / "program"), str(b.folder / "program.c")])[2]:
            raise Skip(f"{' '.join(compiler)} does not work here")
        (b.folder / "script").chmod(0o755)

    return recorded(lambda b: ["sh", "-c", f"{b.hazard('execs')} every_way ./program; {b.hazard('execs')} every_way ./script; PATH=. program"],
                    options=(), before=make)


def limited_recorder(line, words):
    """The recorder itself has too little: it says so, the program is not harmed."""

    def run(b):
        o = Outcome()
        program = [b.program("churn"), "20", "100000"]
        native = b.run(program)
        recording = str(b.folder / "recording.kalloscope")
        command = line + ' exec "$0" record -q -o "$@"'
        result = b.run(["sh", "-c", command, b.kalloscope, recording, "--", *program])
        o.native, o.recorded = native[2], result[2]
        if result[2] == 2:
            o.note = "refused"
            o.check(any(w in result[1].decode() for w in words), f"it says {result[1].decode()!r}")
            return o
        o.check(native[2] == result[2] and native[0] == result[0], f"status {result[2]}: {result[1].decode()!r}")
        b.judge(o, recording)
        return o

    return run


def no_folder(env, where=None):
    """No home, no folder for temporary files, nowhere to write."""

    def run(b):
        o = Outcome()
        program = [b.program("churn"), "20", "20000"]
        os.chmod(b.folder, 0o755)
        native = b.run(program)
        out = b.folder / "out"
        out.mkdir()
        out.chmod(0o777)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if where else []
        command = [*prefix, b.kalloscope, "record", "-q", *(["-o", str(out / "recording.kalloscope")] if not where else []),
                   "--", *program]
        result = b.run(command, env)
        o.native, o.recorded = native[2], result[2]
        if where and result[2] == 126:
            raise Skip("another user cannot reach the build folder")
        if where:
            o.note = "refused"
            o.check(result[2] == 2 and where in result[1].decode(), f"status {result[2]}: {result[1].decode()!r}")
            return o
        compare(o, native, result)
        b.judge(o, str(out / "recording.kalloscope"))
        return o

    return run


def drainer_of(b, record):
    """Of record's two children that are kalloscope, too, the one that is not as nice as can be."""
    for _ in range(500):
        listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(record)], capture_output=True, text=True).stdout
        own = [int(pid) for pid, args in (line.split(None, 1) for line in listed.splitlines()) if args.startswith(b.kalloscope)]
        first = sorted((os.getpriority(os.PRIO_PROCESS, pid), pid) for pid in own)
        if len(first) == 2 and first[0][0] < first[1][0]:
            return first[0][1]
        time.sleep(0.01)
    return None


def stopped_recorder(b):
    """SIGSTOP for longer than the program waits: it goes on, and what was lost is counted."""
    o = Outcome()
    program = [b.program("churn"), "20", "2000000"]
    native = b.run(program)
    recording = str(b.folder / "recording.kalloscope")
    p = subprocess.Popen([b.kalloscope, "record", "-q", "--wait", "300", "-o", recording, "--", *program], cwd=b.folder,
                         env=b.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(0.2)
    drainer = drainer_of(b, p.pid)
    if o.check(drainer, "the drainer was not found"):
        os.kill(drainer, signal.SIGSTOP)
        time.sleep(3)
        os.kill(drainer, signal.SIGCONT)
    out, err = p.communicate(timeout=SECONDS)
    compare(o, native, (out, err, p.returncode))
    b.judge(o, recording, "the recorder could not keep up")
    o.note = "drainer stopped for 3 s, its loss counted"
    return o


def two_at_once(b):
    o = Outcome()
    program = [b.program("churn"), "20", "200000"]
    native = b.run(program)
    with ThreadPoolExecutor(2) as pool:
        paths = [str(b.folder / f"{i}.kalloscope") for i in range(2)]
        results = list(pool.map(lambda path: b.run([b.kalloscope, "record", "-q", "-o", path, "--", *program]), paths))
    for path, result in zip(paths, results):
        compare(o, native, result)
        b.judge(o, path)
    return o


def arenas(b, o, recording):
    """How much of python's arenas the machine served is told."""
    told = b.run([b.kalloscope, "info", recording])[0].decode()
    line = [l.strip() for l in told.splitlines() if l.strip().startswith("served")]
    o.check(line, "info does not tell the share served")
    o.note = line[0].split(None, 1)[1] if line else ""


def processes(count):
    def also(b, o, recording):
        n = b.query(recording, "SELECT count(*) FROM process WHERE events > 0")
        o.check(n >= count, f"{n} processes with events, not {count}")
        o.note = f"{n} processes"

    return also


def exit_recorded(b, o, recording):
    n = b.query(recording, "SELECT count(*) FROM events WHERE kind = 'exit'")
    o.check(n == 1, f"{n} exits in the recording")


def no_extra_rows(b, o, recording):
    """What was mapped is unmapped once: no second end of anything."""
    n = b.query(recording, "SELECT count(*) FROM events WHERE kind = 'munmap' AND ref = 0 AND path <> 'host'")
    o.check(n == 0, f"{n} ends of what was not there")


def modes_private(b):
    """Files are the owner's alone, before, during and after."""
    o = Outcome()
    recording = b.folder / "recording.kalloscope"
    listing = ["sh", "-c", f"umask 0; find {b.folder} -mindepth 1 -perm /077 ! -type l; {b.program('churn')} 20 50000"]
    os.umask(0)
    try:
        out, err, o.recorded = b.run([b.kalloscope, "record", "-q", "-o", str(recording), "--", *listing])
        copies = [f"{recording}.zst", str(b.folder / "again.kalloscope")]
        for words in (["pack", str(recording)], ["unpack", "-o", copies[1], copies[0]]):
            told = b.run([b.kalloscope, *words])
            o.check(told[2] == 0, f"{words[0]}: {told[1].decode()!r}")
    finally:
        os.umask(0o022)
    open_ones = [l for l in out.decode().splitlines() if l.startswith("/")]
    open_ones += [f for f in copies if os.path.exists(f) and os.stat(f).st_mode & 0o077]
    o.check(not open_ones, f"open to others: {open_ones}")
    o.check(recording.exists() and recording.stat().st_mode & 0o777 == 0o600, "the recording is not 0600")
    b.judge(o, str(recording))
    return o


NO_FILES = {"fifo": "mkfifo {}", "folder": "mkdir {}", "link": "ln -s victim {}", "device": "ln -s /dev/zero {}",
            "loop": "ln -s {0} {0}", "sparse": "truncate -s 2T {}", "foreign": "echo mine > {}"}


def refuses(o, b, what, status, *words):
    """A refusal in a sentence, within seconds, and the victim is as it was."""
    out, err, got = b.run([b.kalloscope, *words], seconds=60)
    o.check(got == status and err.startswith(b"kalloscope: "), f"{what}: {words[0]} ends with {got}: {err.decode()!r}")
    o.check((b.folder / "victim").read_bytes() == b"untouched", f"{what}: the victim was written")


def strange_files(b):
    """Where a recording is read or made stands something else: said, not followed, waited for or replaced."""
    o = Outcome()
    (b.folder / "victim").write_text("untouched")
    for what, line in NO_FILES.items():
        b.run(["sh", "-c", line.format(what)])
        before = os.lstat(b.folder / what)
        for command in ("info", "verify", "recover", "unpack", "pack"):
            refuses(o, b, what, 2, command, what)
        if what not in ("sparse", "foreign"):
            refuses(o, b, what, 2, "record", "-q", "--force", "-o", what, "--", "true")
        after = os.lstat(b.folder / what)
        o.check((before.st_ino, before.st_mode, before.st_size) == (after.st_ino, after.st_mode, after.st_size), f"{what} was changed")
    return o


SPOILT = {  # a session folder, spoilt in one way; what recover ends with
    "session.json no file": ("rm session.json; mkfifo session.json", 1),
    "session.json a link": ("rm session.json; ln -s ../victim session.json", 1),
    "session.json endless": ("truncate -s 2T session.json", 1),
    "session.json too deep": ("""printf '{"argv": ' > session.json; yes '[' | head -c 1000000 >> session.json""", 1),
    "spool a fifo": ("rm spool; mkfifo spool", 1),
    "spool a link": ("rm spool; ln -s ../victim spool", 1),
    "rings a device": ("rm rings; ln -s /dev/zero rings", 1),
    "rings too long": ("truncate -s 2T rings", 1),
    "another file in the recording's place": ("cp ../victim ../spoilt.kalloscope", 1),
    "a link in the recording's place": ("ln -s victim ../spoilt.kalloscope", 1),
    "another place in session.json": ("""printf '{"output": "%s/victim", "argv": ["x"]}' "$(dirname "$PWD")" > session.json""", 0),
}


def strange_sessions(b):
    """An unfinished recording of a stranger's is recovered: nothing but it is written."""
    o = Outcome()
    (b.folder / "victim").write_text("untouched")
    line = f'{b.program("churn")} 20 20000; cp -r --sparse=always "$(dirname "$KALLOSCOPE_SESSION")" kept'
    b.run([b.kalloscope, "record", "-q", "-o", "whole.kalloscope", "--", "sh", "-c", line])
    for what, (spoil, status) in SPOILT.items():
        b.run(["sh", "-c", f"rm -rf spoilt.*; cp -r --sparse=always kept spoilt.kalloscope.spool; cd spoilt.kalloscope.spool; {spoil}"])
        if status:
            refuses(o, b, what, status, "recover", "spoilt.kalloscope")
        else:
            told = b.run([b.kalloscope, "recover", "spoilt.kalloscope"])
            o.check(told[2] == 0 and (b.folder / "victim").read_bytes() == b"untouched", f"{what}: {told[1].decode()!r}")
    b.run(["sh", "-c", "rm -rf spoilt.*; mv kept other"])
    refuses(o, b, "a folder of another name", 1, "recover", "other")
    return o


def hostile_folder(b):
    """The program fills the session folder with links to a file that must not be written."""
    o = Outcome()
    victim = b.folder / "victim"
    victim.write_text("untouched")
    recording = str(b.folder / "recording.kalloscope")
    line = ('d=$(dirname "$KALLOSCOPE_SESSION"); cd "$d" || exit 9; '
            f'for i in 1 2 3 4 5 6 7 8 9; do ln -sf {victim} state.$i; done; '
            f'ln -s {victim} spool.1 2>/dev/null; ln -s {victim} ../x 2>/dev/null; ' + b.program("churn") + " 20 20000")
    out, err, o.recorded = b.run([b.kalloscope, "record", "-q", "--dump-state", "-o", recording, "--", "sh", "-c", line])
    o.check(o.recorded == 0, f"status {o.recorded}: {err.decode()!r}")
    o.check(victim.read_text() == "untouched", "the link was followed")
    b.judge(o, recording)
    return o


CASES = {
    # every descriptor is the program's
    "all descriptors closed, then deep stacks": hazard("descriptors", "close"),
    "all descriptors replaced, then deep stacks": hazard("descriptors", "replace"),
    "all descriptors replaced, then a thread and a child": hazard("descriptors", "live"),
    "all descriptors replaced, bare": bare(lambda b: [b.hazard("descriptors"), "replace"]),
    # becoming two
    "fork of a threaded process": hazard("forks", "threads", options=(), also=processes(41)),
    "vfork": hazard("forks", "vfork"),
    "posix_spawn": hazard("forks", "spawn"),
    "double fork": hazard("forks", "double"),
    "raw clone": hazard("forks", "clone"),
    "clone in the same memory": hazard("forks", "clone_vm"),
    "atfork handlers that allocate": hazard("forks", "atfork"),
    "shared and private maps across fork": hazard("forks", "shared"),
    "200 processes in one recording": shell(
        "i=0; while [ $i -lt 200 ]; do {p}/churn 5 200 >/dev/null & i=$((i + 1)); [ $((i % 20)) = 0 ] && wait; done; wait",
        options=(), also=processes(200)),
    # becoming another
    "exec again and again": hazard("execs", "chain"),
    "exec without an environment": hazard("execs", "bare"),
    "exec that fails": hazard("execs", "failing"),
    "exec by descriptor": hazard("execs", "descriptor"),
    "env -i": shell("env -i {p}/churn 20 5000; {p}/churn 20 5000"),
    "the program's file is deleted": recorded(lambda b: [str(b.folder / "execs"), "deleted"], before=copy_program("execs")),
    # the end
    **{f"end by {what}": hazard("deaths", mode, also=also) for what, mode, also in (
        ("_exit", "_exit", None), ("abort", "abort", None), ("quick_exit", "quick_exit", None),
        ("a fault", "fault", None), ("a thread's fault", "fault_threads", None), ("SIGTERM", "signal", None),
        ("SIGKILL", "kill", None), ("exit in a thread", "thread", exit_recorded),
        ("exit while threads allocate", "threads", exit_recorded), ("main thread first", "main_first", None),
        ("atexit that allocates", "atexit", exit_recorded), ("exit in a handler", "handler", exit_recorded),
        ("exit in a fault's handler", "fault_handler", exit_recorded), ("the CPU limit", "limit", None))},
    # signals
    "handlers that allocate": hazard("handlers", "allocating", undefined=True),
    "handlers that jump": hazard("handlers", "jumping", undefined=True),
    "handlers that jump off their stack": hazard("handlers", "jumping_off", undefined=True),
    "handlers that jump without the mask": hazard("handlers", "jumping_plain", undefined=True),
    "handlers that jump within": hazard("handlers", "inside", undefined=True),
    "handlers that jump out of two": hazard("handlers", "jumping_twice", undefined=True),
    "threads whose handlers jump": hazard("handlers", "threads", undefined=True),
    "faults that are jumped out of": hazard("handlers", "faults"),
    "handlers that leave by setcontext": hazard("leavers", "contexts", undefined=True),
    "handlers that leave by an exception": hazard("throwers", undefined=True),
    "handlers that switch coroutines": hazard("leavers", "switching", undefined=True),
    "handlers that end their thread": hazard("leavers", "ending", undefined=True),
    "faults in realloc that are jumped out of": hazard("leavers", "reallocs"),
    "handlers that fork": hazard("handlers", "forking", options=()),
    # stacks
    "coroutines on 4, 8, 16 KiB": hazard("stacks", "contexts"),
    "handlers on 4, 8, 16 KiB": hazard("stacks", "altstacks"),
    "threads on the smallest stack": hazard("stacks", "threads"),
    "longjmp": hazard("stacks", "jumps"),
    "stacks that overflow": hazard("stacks", "overflows"),
    # C++ and the loader
    "C++ exceptions": hazard("exceptions"),
    "exceptions in plugins": recorded(lambda b: [b.hazard("exceptions"), "plugin", b.hazard("libplugin.so")]),
    "dlopen storm": recorded(lambda b: [b.hazard("loader"), "storm", b.hazard("libplugin.so")]),
    "dlopen in threads": recorded(lambda b: [b.hazard("loader"), "threads", b.hazard("libplugin.so")]),
    "RTLD_DEEPBIND": recorded(lambda b: [b.hazard("loader"), "deepbind", b.hazard("libplugin.so")]),
    "dlopen by the program's search path": hazard("loader", "name"),
    "thread-local and static destructors": hazard("lifetimes"),
    "another preload before ours": other_preload(True),
    "another preload after ours": other_preload(False),
    # sandboxes
    **{f"seccomp: {what}": hazard("sandboxes", mode) for what, mode in (
        ("strict", "strict"), ("strict by syscall", "strict_syscall"), ("no write", "write"),
        ("no clock, file, wait", "maps"), ("write and exit alone", "little"), ("a filter under threads", "threads"))},
    # who is whose child
    "pipe behind the program, bare": bare_shell("{p}/churn 20 50000 | cat"),
    "wait(-1) supervisor": hazard("children", "wait"),
    "wait(-1) supervisor, bare": bare(lambda b: [b.hazard("children"), "wait"]),
    "subreaper": hazard("children", "subreaper"),
    "subreaper, bare": bare(lambda b: [b.hazard("children"), "subreaper"]),
    "first of a pid namespace": in_namespaces(recorded(
        lambda b: ["unshare", "-p", "-f", b.hazard("children"), "first"])),
    "first of a pid namespace, bare": in_namespaces(bare(
        lambda b: ["unshare", "-p", "-f", b.hazard("children"), "first"])),
    # limits
    "ulimit -v, no room for the arena": shell("ulimit -v 3000000; {p}/churn 20 20000"),
    "ulimit -v, little room": shell("ulimit -v 8000000; {p}/churn 20 20000"),
    "ulimit -n 4": shell("ulimit -n 4; {h}/descriptors replace"),
    "ulimit -f 0": shell("ulimit -f 0; {p}/churn 20 20000 | cat"),
    "ulimit -s 128": shell("ulimit -s 128; {h}/forks double; {h}/stacks jumps"),
    "ulimit -u for the recorder": limited_recorder("ulimit -n 40;", ["file"]),
    "ulimit -f for the recorder": limited_recorder("ulimit -f 100;", ["file", "size", "limit"]),
    # places
    "chroot into nothing": as_root(hazard("confined", "chroot")),
    "no /proc": in_namespaces(hazard("confined", "no_proc")),
    "another user": as_root(hazard("confined", "nobody")),
    "read-only file system": in_namespaces(hazard("confined", "read_only")),
    "no home, no temporary folder": no_folder({"HOME": "/nonexistent", "TMPDIR": "/nonexistent", "XDG_RUNTIME_DIR": ""}),
    "nowhere to write the recording": as_root(no_folder({}, "cannot")),
    # programs nothing can be preloaded into
    "static program": refused(["gcc", "-static"], "statically linked"),
    "32-bit program": refused(["gcc", "-m32"], "32-bit"),
    "musl program": refused(["musl-gcc"], "musl"),
    "set-user-ID program": as_root(refused(["gcc"], "set-user-ID", 0o4755, 65534)),
    "AddressSanitizer program": refused(["gcc", "-fsanitize=address"], "sanitizer"),
    "musl child": foreign_child(["musl-gcc"]),
    "32-bit child": foreign_child(["gcc", "-m32"]),
    "static child": foreign_child(["gcc", "-static"]),
    # the family
    "alignment of everything": hazard("family", "alignment"),
    "huge, empty, overflowing sizes": hazard("family", "sizes"),
    "foreign pointers": hazard("family", "foreign"),
    "mallopt, mallinfo2, malloc_trim ...": hazard("family", "controls"),
    **{f"cases: {name}": recorded(lambda b, name=name: [b.program("cases"), name]) for name in (
        "align", "errors", "realloc", "calloc", "mmap", "mremap", "lock", "fork", "foreign", "exhaust", "huge",
        "threads")},
    **{f"cases: {name}": recorded(lambda b, name=name: [b.program("cases"), name], undefined=True) for name in (
        "mmap_flags", "signal", "altstack", "siglongjmp")},
    "python, 300 MiB of arenas": recorded(lambda b: ["python3", "-c", "x = [bytes(400) for i in range(700000)]; print(len(x))"],
                                          options=(), also=arenas),
    # maps
    **{f"maps: {what}": hazard("maps", mode, also=no_extra_rows) for what, mode in (
        ("partial and several munmap", "unmaps"), ("MAP_FIXED over our own", "fixed"), ("mremap", "moves"),
        ("mprotect, madvise, reuse", "reuse"), ("executable heap freed", "freed"))},
    # the recorder
    "64 threads": recorded(lambda b: [b.program("churn"), "12", "3000", "64"]),
    "recorder stopped": stopped_recorder,
    "two recordings at once": two_at_once,
    "files are private": modes_private,
    "links in the session folder": hostile_folder,
    "no plain file": strange_files,
    "a stranger's session folder": strange_sessions,
}

# Minutes each, by themselves: make hazards-long
LONG = {
    "64 threads on these CPUs": recorded(lambda b: [b.program("churn"), "20", "400000", "64"], options=()),
    "64 threads, 20,000 blocks alive in each": recorded(lambda b: [b.program("churn"), "12", "100000", "64", "20000"]),
    "two threads that free each other's": recorded(lambda b: [b.program("cross"), "2000000"]),
}

COLUMNS = "{:<52}{:>7}{:>9}{:>10}{:>9}  {:<9}{}"


def run_case(build, name):
    folder = Path(tempfile.mkdtemp(prefix="kalloscope-hazard."))
    try:
        o = {**CASES, **LONG}[name](Bench(build, folder, SECONDS))
    except Skip as why:
        o = str(why)
    except (OSError, ValueError, sqlite3.Error, subprocess.SubprocessError) as e:
        o = Outcome()
        o.check(False, f"{type(e).__name__}: {e}")
    if isinstance(o, Outcome) and o.wrong:
        o.wrong.append(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return name, o


def main():
    words = [w for w in sys.argv[1:] if w not in ("--tap", "--long")]
    if not words:
        sys.exit(__doc__)
    build, mark = Path(words[0]).resolve(), "# " if "--tap" in sys.argv else ""
    chosen = [n for n in (LONG if "--long" in sys.argv else CASES) if len(words) == 1 or any(w in n for w in words[1:])]
    if not chosen:
        sys.exit(f"no hazard has {' or '.join(words[1:])} in its name")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    print(mark + COLUMNS.format("hazard", "native", "recorded", "events", "lost", "verified", ""), flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for n, (name, o) in enumerate(pool.map(lambda name: run_case(build, name), chosen), 1):
            skipped, bad = isinstance(o, str), isinstance(o, Outcome) and o.wrong
            counts["skipped" if skipped else "failed" if bad else "passed"] += 1
            if skipped:
                print(mark + f"{name:<52}{'':>7} skipped: {o}")
            else:
                print(mark + COLUMNS.format(name, o.native, o.recorded, o.events, o.lost, o.verified, o.note).rstrip())
            for wrong in bad or []:
                print(f"#   {wrong}")
            if mark:
                print(f"{'not ok' if bad else 'ok'} {n} - {name}{' # SKIP ' + o if skipped else ''}")
            sys.stdout.flush()
    print(f"1..{len(chosen)}" if mark else "{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
