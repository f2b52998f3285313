#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""By keyboard alone: opens a recording, finds the peak, goes to its event, reads its stack, goes through
every view and exports a picture. What the window says is read over AT-SPI and compared with SQL.

    tests/tour.py BUILD RECORDING     TAP on stdout; on a display with a session bus of its own
"""
import os
import subprocess
import sys
import tempfile
import time

try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi
except (ImportError, ValueError):
    print("1..0 # SKIP python3-gi and gir1.2-atspi-2.0 are not there")
    sys.exit(0)

build, recording = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
failed = count = 0


def result(fine, name, why=""):
    global failed, count
    count += 1
    failed += not fine
    print(("ok" if fine else "not ok"), count, "-", name, flush=True)
    if why and not fine:
        print("#", why)


def sql(query):
    out = subprocess.run([build + "/kalloscope", "sql", "-n", recording, query], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def key(*keys, pause=0.8):
    subprocess.run(["xdotool", "key", *keys], check=True)
    time.sleep(pause)


def write(text, pause=0.8):
    subprocess.run(["xdotool", "type", "--delay", "15", text], check=True)
    time.sleep(pause)


def go(text):
    key("ctrl+g")
    write(text)
    key("Return", pause=2)


def application():
    for _ in range(600):
        desktop = Atspi.get_desktop(0)
        for i in range(desktop.get_child_count()):
            app = desktop.get_child_at_index(i)
            if app and app.get_name() == "kalloscope-viewer" and app.get_child_count():
                return app
        time.sleep(0.2)
    sys.exit("Bail out! the window is not seen")


def names(node, depth=0):
    """Every name and description below"""
    try:
        yield node.get_name() or ""
        yield node.get_description() or ""
        for i in range(min(node.get_child_count(), 200)):
            child = node.get_child_at_index(i)
            if child and depth < 40:
                yield from names(child, depth + 1)
    except gi.repository.GLib.Error:  # gone meanwhile
        return


def says(app, text):
    for _ in range(5):
        if any(text in name for name in names(app)):
            return True
        time.sleep(1)
    return False


process, peak = sql("SELECT process, peak_event FROM process ORDER BY events DESC LIMIT 1")[0]
function = sql(f"SELECT s.function FROM stacks s JOIN events e USING (stack) WHERE e.id = {peak}"
               " ORDER BY s.depth, s.inlined LIMIT 1")[0][0]
if "+0x" in function:  # without a name: a place in a module, which the window names without its folder
    function = os.path.basename(function)
folder = tempfile.mkdtemp(prefix="kalloscope-tour.")
viewer = subprocess.Popen([os.environ.get("VIEWER", build + "/viewer/kalloscope-viewer"), recording],
                          stdout=subprocess.DEVNULL, stderr=open(folder + "/viewer.err", "w"), cwd=folder)
try:
    app = application()
    subprocess.run("xdotool search --sync --onlyvisible --name kalloscope windowfocus", shell=True, check=True)
    time.sleep(4)
    result(says(app, os.path.basename(recording)), "the recording is open")
    go("start")
    go("peak")
    result(says(app, f"event {int(peak):,} of "), "it stands at the peak", f"wanted event {int(peak):,}")
    with open(os.path.dirname(os.path.abspath(__file__)) + "/../viewer/draw/hit.c") as source:
        views = [line.split('"')[3] for line in source if line.startswith('\t{"') and "N_(" in line]
    for view in views + ["SQL"]:
        key("ctrl+shift+p")
        write("View: " + view)
        key("Return", pause=1)
    result(viewer.poll() is None, f"{len(views) + 1} views were shown")
    go("events")
    result(says(app, function), "the stack of its event is read", f"wanted {function}")
    go("map")
    key("ctrl+e", pause=2)
    key("ctrl+a")
    write(folder + "/map.png")
    key("Return", pause=3)
    try:
        with open(folder + "/map.png", "rb") as picture:
            result(picture.read(8) == b"\x89PNG\r\n\x1a\n", "a picture is exported")
    except OSError as why:
        result(False, "a picture is exported", str(why))
    key("ctrl+q", pause=0)
    try:
        result(viewer.wait(30) == 0, "it ends without complaint", f"status {viewer.returncode}")
    except subprocess.TimeoutExpired:
        result(False, "it ends without complaint", "still running")
    with open(folder + "/viewer.err") as err:
        found = [line for line in err if "Sanitizer" in line or "CRITICAL" in line or "runtime error" in line]
    result(not found, "nothing is wrong on stderr", "".join(found[:3]).strip())
finally:
    viewer.kill()
    viewer.wait()
    subprocess.run(["rm", "-rf", folder], check=True)
print(f"1..{count}")
sys.exit(failed > 0)
