#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""The viewer with nothing to show, while it reads, stopped in the middle, and on files it cannot show: every
state is made to happen in the real window, has to say what is the matter, and is kept as a picture.

    tests/states.py BUILD [FOLDER]     TAP on stdout; on a display with a session bus. With FOLDER pictures go there

What lasts a moment is held: tests/hold.c lets the window's workers wait before they read, until it was looked at.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

from window import Window, act, go, key, plan, result, write

build = os.path.abspath(sys.argv[1])
pictures = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
folder = tempfile.mkdtemp(prefix="kalloscope-states.")
kalloscope = build + "/kalloscope"


def record(name, *command, options=()):
    path = f"{folder}/{name}.kalloscope"
    subprocess.run([kalloscope, "record", "-q", *options, "-o", path, "--", *command], check=True,
                   stdout=subprocess.DEVNULL, cwd=folder)
    return path


def state(window, name, *said, seconds=10):
    """All of these words are shown, then a picture of it; "" is for the eye alone"""
    missing = [words for words in said if words and not window.says(words, seconds)]
    if pictures:
        time.sleep(0.7)
        window.shoot(f"{pictures}/{name.replace(' ', '-')}.png")
    result(not missing and window.viewer.poll() is None, name, *(f"nowhere: {words}" for words in missing))


def copy(of, name, change):
    path = f"{folder}/{name}.kalloscope"
    with open(of, "rb") as file:
        data = bytearray(file.read())
    with open(path, "wb") as file:
        file.write(change(data))
    return path


def scribbled(data):
    """The pages behind the first ones hold something else"""
    for at in range(8 * 4096, len(data)):
        data[at] = at * 37 % 251
    return data


def user_version(data):
    data[60:64] = (9999).to_bytes(4, "big")
    return data


def open_only(name, path, *said):
    with Window(build, path, folder=folder, size=SIZE) as window:
        state(window, name, *said)


class Held:
    """The workers of a window wait before each read of the recording from hold() until let_go()"""

    def __init__(self, path):
        self.switch = path + ".hold"
        preload = f"{build}/tests/libhold.so"
        sanitizer = os.environ.get("LD_PRELOAD")
        self.env = {"LD_PRELOAD": f"{sanitizer} {preload}" if sanitizer else preload, "HOLD_READS": os.path.realpath(path),
                    "HOLD_WHILE": self.switch}

    def hold(self):
        open(self.switch, "w", encoding="utf-8").close()

    def let_go(self):
        os.unlink(self.switch)


def views_of(window, prefix, expected):
    for view, said in expected.items():
        act("View: " + view)
        state(window, f"{prefix} {view}", said)


def files(good):
    with open(folder + "/text.kalloscope", "w", encoding="utf-8") as file:
        file.write("just some text, not a recording at all\n" * 99)
    open(folder + "/empty.kalloscope", "w", encoding="utf-8").close()
    open_only("error missing file", folder + "/nowhere.kalloscope", "nowhere.kalloscope")
    open_only("error text file", folder + "/text.kalloscope", "is not a recording")
    open_only("error empty file", folder + "/empty.kalloscope", "empty.kalloscope")
    open_only("error newer version", copy(good, "newer", user_version), "newer")
    open_only("error cut in the middle", copy(good, "half", lambda data: data[:len(data) // 2]), "half.kalloscope")
    open_only("error scribbled on", copy(good, "scribbled", scribbled), "is damaged")


def opening(good):
    held = Held(good)
    held.hold()
    with Window(build, good, folder=folder, size=SIZE, env=held.env) as window:
        state(window, "opening", "Opening", "Cancel")
        result(window.press("Cancel"), "it can be cancelled")
        state(window, "opening cancelled", "Open a Recording")
        held.let_go()


def waiting(good):
    """Each reading of a worker while it waits, and stopped"""
    held = Held(good)
    with Window(build, good, folder=folder, size=SIZE, env=held.env) as window:
        window.says("event ")
        act("View: Events")
        held.hold()
        key("ctrl+f")
        write("size>100")
        key("Return")
        state(window, "Events searching", "Searching", "Stop searching")
        result(window.press("Stop searching"), "the search for events can be stopped")
        held.let_go()
        state(window, "Events stopped", "stopped: ")
        key("ctrl+a")
        write("malloc")
        state(window, "Events found", " events")
        key("Escape")
        act("View: Memory map")
        go("end")
        click(500, 570)  # the picture has the keys
        held.hold()
        key("c", "c", "c", pause=0)  # by age
        state(window, "Memory map reading back", "reading back", "Stop reading")
        result(window.press("Stop reading"), "what the map waits for can be stopped")
        held.let_go()
        state(window, "Memory map stopped", "stopped at event")
        act("View: Call sites")
        held.hold()
        click(297, 75)  # what is counted
        key("Down", "Down", "Return")
        state(window, "Call sites counting", "reading back", "Stop reading")
        act("View: Flame graph")
        state(window, "Flame graph counting", "reading back")
        held.let_go()
        state(window, "Flame graph of what is alive", "alive at event")


def nothing_in_it():
    with open(folder + "/nothing.c", "w", encoding="utf-8") as file:
        file.write("int main(void) { return 0; }\n")
    subprocess.run(["gcc", "-o", folder + "/nothing", folder + "/nothing.c"], check=True)
    with Window(build, record("nothing", folder + "/nothing"), folder=folder, size=SIZE) as window:
        state(window, "no events Memory map", "nothing.kalloscope")
        views_of(window, "no events", {
            "vmalloc": "No vmalloc yet", "Summary": "", "Timeline": "", "Step by step": "Nothing to take apart",
            "Flame graph": "Nothing was allocated", "Call sites": "No call site", "Processes": ""})
    plain = record("plain", "ls", "-R", "/usr/share/doc/libc6", options=("--frames=0", "--ram=256M", "--cpus=1"))
    with Window(build, plain, folder=folder, size=SIZE) as window:
        state(window, "without stacks Memory map", "plain.kalloscope")
        views_of(window, "without stacks", {
            "Flame graph": "--frames", "Call sites": "--frames", "Highmem windows": "This machine has no highmem"})
        act("View: Events")
        state(window, "without stacks Events", "No backtrace was recorded")
        act("View: Step by step")
        go("start")
        state(window, "at the boot Step by step", "Nothing to take apart")
        act("View: What happened")
        state(window, "at the boot What happened", "Nothing")


def asked(good):
    with Window(build, good, folder=folder, size=SIZE) as window:
        act("View: Events")
        key("ctrl+f")
        write("size>4000m")
        key("Return")
        state(window, "Events without a match", "No events match")
        key("ctrl+a")
        write("what:ever")
        key("Return")
        state(window, "Events with a filter not understood", "is not understood")
        act("View: Flame graph")
        key("ctrl+f")
        write("no_such_function")
        state(window, "Flame graph without a match")
        act("View: SQL")
        state(window, "SQL before a statement", "The answer appears here")
        for name, statement, said in (
                ("SQL error", "SELECT bytes FROM nowhere", "no such table: nowhere"),
                ("SQL refused", "DELETE FROM process", "Only statements that read"),
                ("SQL no rows", "SELECT * FROM events WHERE id < 0", "No row is the answer"),
                ("SQL cut", "SELECT id, req FROM events a, (SELECT 1 UNION SELECT 2 UNION SELECT 3)", "there are more")):
            ask(statement)
            state(window, name, said)
        ask(FOREVER)
        state(window, "SQL running", "Running", "Stop")
        key("Escape")
        state(window, "SQL stopped", "Stopped.")


FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
SIZE = (1280, 800)


def ask(statement):
    key("ctrl+f")
    key("ctrl+a")
    write(statement)
    key("ctrl+Return")


def click(x, y):
    subprocess.run(["xdotool", "mousemove", str(x), str(y), "click", "1"], check=True)
    time.sleep(1)


def live():
    path = folder + "/live.kalloscope"
    recorder = subprocess.Popen([kalloscope, "record", "-q", "-o", path, "--", "perl", "-e",
                                 "for (1 .. 60) { push @a, 'x' x 5000; select undef, undef, undef, 0.5 }"])
    try:
        while not os.path.exists(path):
            time.sleep(0.2)
        time.sleep(2)
        open_only("recording live", path, "not finished")
    finally:
        recorder.terminate()
        recorder.wait()


def main():
    if pictures:
        os.makedirs(pictures, exist_ok=True)
    with Window(build, folder=folder, size=SIZE) as window:
        state(window, "start page", "Open a Recording", "Record a Program")
    good = record("good", "sh", "-c", "ls -R /usr/share/doc >/dev/null; ls -lR /etc >/dev/null")
    files(good)
    nothing_in_it()
    opening(good)
    asked(good)
    waiting(good)
    live()
    shutil.rmtree(folder)
    plan()


main()
