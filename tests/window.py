# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""The viewer's window for tests: started on a recording, driven by keys (xdotool), read over AT-SPI.
On a display with a session bus of its own. Ends the test as skipped where AT-SPI is not there."""
import os
import signal
import subprocess
import sys
import time

try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi
except (ImportError, ValueError):
    print("1..0 # SKIP python3-gi and gir1.2-atspi-2.0 are not there")
    sys.exit(0)

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SLOWNESS = float(os.environ.get("SLOWNESS", "1"))  # of the viewer: how much longer to wait for it
failed = count = 0


def result(fine, name, *why):
    """One line of TAP; `why` when it is not fine"""
    global failed, count
    count += 1
    failed += not fine
    print(("ok" if fine else "not ok"), count, "-", name, flush=True)
    for line in () if fine else why:
        print("#", line)
    return fine


def plan():
    print(f"1..{count}")
    sys.exit(failed > 0)


def views():
    """Titles as the sidebar has them"""
    with open(TOP + "/viewer/draw/hit.c", encoding="utf-8") as source:
        return [line.split('"')[3] for line in source if line.startswith('\t{"') and "N_(" in line] + ["SQL"]


def sql(build, recording, query):
    out = subprocess.run([build + "/kalloscope", "sql", "-n", recording, query], check=True, stdout=subprocess.PIPE,
                         text=True).stdout
    return [line.split("\t") for line in out.splitlines()]


def key(*keys, pause=0.8):
    subprocess.run(["xdotool", "key", *keys], check=True)
    time.sleep(pause * SLOWNESS)


def write(text, pause=0.8):
    subprocess.run(["xdotool", "type", "--delay", str(int(15 * SLOWNESS)), text], check=True)
    time.sleep(pause * SLOWNESS)


def seen(title, there=True):
    """Whether a window of this title comes up, or goes; asked of X, as GTK 4.8 may fall over AT-SPI asking meanwhile"""
    for _ in range(int(60 * SLOWNESS)):
        found = subprocess.run(["xdotool", "search", "--onlyvisible", "--name", f"^{title}$"], check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
        if found == there:
            time.sleep(0.4 * SLOWNESS)
            return True
        time.sleep(0.3)
    return False


def act(name, pause=1):
    """An action of the list that Ctrl+Shift+P shows"""
    key("ctrl+shift+p", pause=0)
    seen("Actions")
    write(name)
    key("Return", pause=0)
    seen("Actions", there=False)
    time.sleep(pause * SLOWNESS)


def go(text, pause=2):
    key("ctrl+g")
    write(text)
    key("Return", pause=pause)


def walk(node, path=(), without=()):
    """Every accessible below, shown or not, with the names above it; none of these roles and below them"""
    try:
        if node is None or len(path) > 40 or without and node.get_role() in without:
            return
        yield node, path
        for i in range(min(node.get_child_count(), 400)):
            name = node.get_name() or node.get_role_name()
            yield from walk(node.get_child_at_index(i), path + (name,), without)
    except gi.repository.GLib.Error:  # gone meanwhile
        return


def fresh(node):
    """Without what was read of it before, which only an event loop would keep up to date"""
    Atspi.Accessible.clear_cache(node)
    return node


def been_shown(node):
    """GTK 4.8 tells no more: what no page was ever shown with has no size yet"""
    return Atspi.Component.get_extents(node, Atspi.CoordType.WINDOW).width > 0


class Window:
    """A viewer, from its start until the `with` ends"""

    def __init__(self, build, *arguments, folder=None, size=None, env=None, through=()):
        self.errors = open((folder or os.environ.get("TMPDIR", "/tmp")) + "/viewer.err", "w+", encoding="utf-8")
        self.viewer = subprocess.Popen(
            [*through, os.environ.get("VIEWER", build + "/viewer/kalloscope-viewer"), *arguments],
            stdout=subprocess.DEVNULL, stderr=self.errors, cwd=folder, env={**os.environ, **(env or {})})
        self.size = size
        self.app = None

    def __enter__(self):
        for _ in range(int(600 * SLOWNESS)):
            desktop = fresh(Atspi.get_desktop(0))
            for i in range(desktop.get_child_count()):
                app = desktop.get_child_at_index(i)
                if app and app.get_name() == "kalloscope-viewer" and app.get_child_count():
                    self.app = app
                    self.focus()
                    return self
            if self.viewer.poll() is not None:
                break
            time.sleep(0.2)
        self.__exit__()
        sys.exit("Bail out! the window is not seen")

    def focus(self):
        out = subprocess.run(["xdotool", "search", "--sync", "--onlyvisible", "--class", "viewer"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        window = out.split()[0]
        if self.size:
            subprocess.run(["xdotool", "windowmove", window, "0", "0", "windowsize", window,
                            *map(str, self.size)], check=True)
        subprocess.run(["xdotool", "windowfocus", window, "mousemove", "1", "1"], check=True)

    def __exit__(self, *_):
        if self.app and self.viewer.poll() is None:  # the viewer itself, when it was started through something
            os.kill(self.app.get_process_id(), signal.SIGKILL)
        self.viewer.kill()
        self.viewer.wait()
        self.errors.close()

    def says(self, text, seconds=5):
        """Whether it shows these words, or will within so many seconds"""
        end = time.time() + seconds
        while True:
            if any(self.words(text)):
                return True
            if time.time() > end:
                return False
            time.sleep(0.3)

    def words(self, text):
        """Names and descriptions with this text, of what has been shown, but not of the rows of tables"""
        for node, _ in walk(fresh(self.app), without=(Atspi.Role.TABLE_ROW,)):
            try:
                for said in node.get_name(), node.get_description():
                    if said and text in said and been_shown(node):
                        yield said
            except gi.repository.GLib.Error:  # gone meanwhile
                continue

    def press(self, name):
        """The button of this name"""
        for node, _ in walk(fresh(self.app), without=(Atspi.Role.TABLE_ROW,)):
            try:
                if node.get_name() == name and node.get_role() == Atspi.Role.PUSH_BUTTON and been_shown(node):
                    done = Atspi.Action.do_action(node, 0)
                    time.sleep(0.8 * SLOWNESS)  # GTK shows it pressed for a while first
                    return done
            except gi.repository.GLib.Error:
                continue
        return False

    def shoot(self, path):
        """A picture of the whole screen"""
        subprocess.run(["import", "-window", "root", path], check=True)

    def complaints(self):
        """What it wrote to stderr from the first error of ours on"""
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors]
        for i, line in enumerate(lines):
            if "Sanitizer" in line or "CRITICAL" in line or "runtime error" in line:
                return lines[i:i + 60]
        return []
