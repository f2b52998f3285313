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

from window import SLOWNESS, Window, act, go, key, plan, result, seen, sql, views, write

build, recording = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
process, peak = sql(build, recording, "SELECT process, peak_event FROM process ORDER BY events DESC LIMIT 1")[0]
function = sql(build, recording, f"SELECT s.function FROM stacks s JOIN events e USING (stack) WHERE e.id = {peak}"
               " ORDER BY s.depth, s.inlined LIMIT 1")[0][0]
if "+0x" in function:  # without a name: a place in a module, which the window names without its folder
    function = os.path.basename(function)
folder = tempfile.mkdtemp(prefix="kalloscope-tour.")


def written(path, beginning):
    """Whether there will be such a file"""
    for _ in range(int(60 * SLOWNESS)):
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read(len(beginning)) == beginning:
                    return True
        time.sleep(0.3)
    return False


with Window(build, recording, folder=folder) as window:
    result(window.says(os.path.basename(recording), 20 * SLOWNESS) and window.says("event ", 20 * SLOWNESS),
           "the recording is open")
    go("start")
    go("peak")
    result(window.says(f"event {int(peak):,} of ", 20 * SLOWNESS), "it stands at the peak", f"wanted event {int(peak):,}")
    for view in views():
        act("View: " + view)
    result(window.viewer.poll() is None, f"{len(views())} views were shown")
    go("events")
    result(window.says(function, 20 * SLOWNESS), "the stack of its event is read", f"wanted {function}")
    failed = sql(build, recording, "SELECT count(*) FROM events WHERE flags & 4")[0][0]
    key("ctrl+f")
    write("failed")
    words = "No events match" if failed == "0" else f"{int(failed):,} events"
    result(window.says(words, 20 * SLOWNESS), "its filter finds the calls that failed", f"wanted {words}")
    key("Escape")
    go("map")
    key("ctrl+e")
    result(seen("Export"), "a picture's name is asked for")
    key("ctrl+a")
    write(folder + "/map.png")
    key("Return")
    result(written(folder + "/map.png", b"\x89PNG\r\n\x1a\n"), "a picture is exported")
    key("ctrl+q", pause=0)
    try:
        result(window.viewer.wait(30 * SLOWNESS) == 0, "it ends without complaint", f"status {window.viewer.returncode}")
    except subprocess.TimeoutExpired:
        result(False, "it ends without complaint", "still running")
    found = window.complaints()
    result(not found, "nothing is wrong on stderr", *found)
subprocess.run(["rm", "-rf", folder], check=True)
plan()
