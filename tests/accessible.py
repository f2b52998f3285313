#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""What assistive tools see of the window: every widget has a role, and those people act
on or look at have a name, in every view. Walks the tree over AT-SPI.

    tests/accessible.py BUILD RECORDING     TAP on stdout; on a display with a session bus of its own
"""
import os
import sys
import time

from window import Atspi, Window, act, plan, result, views, walk

build, recording = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MUTE = {  # lay out what is in them, or have their words in themselves
    "filler", "panel", "scroll pane", "separator", "layered pane", "split pane", "viewport", "section",
    "table row", "table cell", "redundant object", "unknown", "application", "grouping", "generic",
    "scroll bar", "page tab", "tool tip", "tree item", "paragraph", "static", "label", "info bar", "block quote",
    "form", "landmark", "image", "icon",
}
PICTURES = {"Memory map", "Zones and buddy", "Per-CPU lists", "Slab", "vmalloc", "Highmem windows", "Paging", "Boot",
            "Summary", "Timeline", "What happened", "Step by step", "Flame graph", "Processes"}


def own_name(node):
    """GTK calls what has no name by its type: that is none"""
    name = node.get_name() or ""
    return "" if name.startswith(("Gtk", "Adw", "Ksv")) else name


def nameless(seen):
    """Widgets without a role, or without the name they need"""
    wrong = []
    for node, path in seen:
        role = node.get_role_name()
        if node.get_role() == Atspi.Role.INVALID:
            wrong.append("no role: " + " > ".join(path))
        elif role not in MUTE and not (own_name(node) or node.get_description() or described(node)):
            wrong.append(f"no name: {role} {node.get_name()} in " + " > ".join(path))
    return wrong


def described(node):
    """What is inside a button or row names it; relations do, too"""
    if any(r.get_relation_type() == Atspi.RelationType.LABELLED_BY for r in node.get_relation_set()):
        return True
    parent = node.get_parent()  # the button inside a drop-down is that drop-down, the rows of a table that table
    if parent and own_name(parent) and (parent.get_role() == Atspi.Role.COMBO_BOX or node.get_role() == Atspi.Role.LIST):
        return True
    return any(own_name(child) for child, _ in walk(node) if child is not node)


with Window(build, recording) as window:
    time.sleep(4)
    for view in views():
        act("View: " + view, pause=1.5)
    seen = list(walk(window.app))
    result(len(seen) > 300, f"the pages of {len(views())} views are there, {len(seen)} widgets")
    wrong = nameless(seen)
    result(not wrong, "every widget has a role, and a name if it is to be used", *sorted(set(wrong))[:30])
    drawn = {node.get_name(): node for node, _ in seen if node.get_role() in (Atspi.Role.IMAGE, Atspi.Role.ICON)}
    for view in sorted(PICTURES):
        result(view in drawn and bool(drawn[view].get_description()), f"{view}: the picture says what it shows")
    said = [node.get_description() for node, _ in seen if node.get_role() == Atspi.Role.SLIDER and own_name(node)]
    result(any("event" in text for text in said), "the scrubber is a slider that says where it stands", *said)
plan()
