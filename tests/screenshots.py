#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""Pictures of the real window, driven by keyboard alone, to be looked at.

    tests/screenshots.py BUILD FOLDER [--only LOOK[,LOOK...]] [PROGRAM ARGUMENT...]
        Every view of a recording of the program (default: gcc -O2) in the middle of its run: light and dark, in
        windows of 1280x800 and 900x600 (small, small-dark); some in high contrast (contrast, contrast-dark); with
        text half as large again (text). --only: these looks alone.
    tests/screenshots.py BUILD --readme
        viewer/screenshot.png and viewer/steps.png again, by `make pictures`

On a display with a session bus of its own: xvfb-run dbus-run-session -- tests/screenshots.py ...
"""
import os
import shutil
import subprocess
import sys
import tempfile

from window import TOP, Window, act, go, sql, views

build = os.path.abspath(sys.argv[1])
folder = tempfile.mkdtemp(prefix="kalloscope-shots.")
GCC = ["gcc", "-O2", "-c", "-o", folder + "/x.o", TOP + "/core/slab.c"]
LARGE, SMALL = (1280, 800), (900, 600)
FEW = ["Memory map", "Zones and buddy", "Summary", "Events", "Step by step", "SQL"]
DARK = {"ADW_DEBUG_COLOR_SCHEME": "prefer-dark"}
CONTRAST = {"ADW_DEBUG_HIGH_CONTRAST": "1"}
LOOKS = {"light": (views(), LARGE, {}), "dark": (views(), LARGE, DARK), "small": (views(), SMALL, {}),
         "small-dark": (views(), SMALL, DARK), "contrast": (FEW, LARGE, CONTRAST),
         "contrast-dark": (FEW, LARGE, {**CONTRAST, **DARK}), "text": (views(), LARGE, lambda: larger_text())}


def record(command):
    path = folder + "/" + os.path.basename(command[0]) + ".kalloscope"
    subprocess.run([build + "/kalloscope", "record", "-q", "-o", path, "--", *command], check=True,
                   stdout=subprocess.DEVNULL)
    return path


def larger_text():
    """The X resource of a desktop with text of 144 dots an inch"""
    with open(folder + "/resources", "w", encoding="utf-8") as file:
        file.write("Xft.dpi: 144\n")
    return {"XENVIRONMENT": folder + "/resources"}


def session(recording, event, shown, size, env, path):
    """A picture of each view; path makes a file name of its title"""
    with Window(build, recording, folder=folder, size=size, env=env) as window:
        window.says("event ", 20)
        go(f"#{event}", pause=1)
        for view in shown:
            act("View: " + view, pause=1.5)
            window.shoot(path(view))
            subprocess.run(["mogrify", "-crop", f"{size[0]}x{size[1]}+0+0", "+repage", path(view)], check=True)


def every_view(out, only, command):
    os.makedirs(out, exist_ok=True)
    recording = record(command)
    first, last = sql(build, recording, "SELECT first_event, last_event FROM process ORDER BY events DESC LIMIT 1")[0]
    middle = (int(first) + int(last)) // 2
    for name in only or LOOKS:
        shown, size, env = LOOKS[name]
        session(recording, middle, shown, size, env() if callable(env) else env,
                lambda view, name=name: f"{out}/{view.replace(' ', '-')}-{name}.png")
    print(len(os.listdir(out)), "pictures in", out)


def readme():
    recording = record(GCC)
    process, first, last = sql(build, recording, "SELECT process, first_event, last_event FROM process"
                                                 " ORDER BY events DESC LIMIT 1")[0]
    session(recording, (int(first) + int(last)) // 2, ["Zones and buddy"], LARGE, {},
            lambda view: TOP + "/viewer/screenshot.png")
    split = sql(build, recording, f"""SELECT event FROM transitions WHERE kind = 'buddy_split' AND process = {process}
        AND zone = 'Normal' AND event > {first} + 5000 ORDER BY "order" - order2 DESC, event LIMIT 1""")[0][0]
    session(recording, split, ["Step by step"], LARGE, DARK, lambda view: TOP + "/viewer/steps.png")
    for name in "screenshot", "steps":
        subprocess.run(["mogrify", "-strip", f"{TOP}/viewer/{name}.png"], check=True)


os.environ.update(XDG_CONFIG_HOME=folder + "/config", XDG_STATE_HOME=folder + "/state", GSETTINGS_BACKEND="memory",
                  GSK_RENDERER="cairo")
if sys.argv[2] == "--readme":
    readme()
else:
    chosen, command = None, sys.argv[3:]
    if command[:1] == ["--only"]:
        chosen, command = command[1].split(","), command[2:]
        if set(chosen) - set(LOOKS):
            sys.exit(f"there is no look {', '.join(set(chosen) - set(LOOKS))}: one of {', '.join(LOOKS)}")
    every_view(os.path.abspath(sys.argv[2]), chosen, command or GCC)
shutil.rmtree(folder)
