# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
"""A table of programs: printed while it grows, as TAP, and into a document."""
import os
import platform
import re
import sys
import time


class Results:
    """Rows of a name, columns and a note; with `tap` the table is in comments."""

    def __init__(self, first, columns, tap, width=14):
        self.first, self.columns, self.tap, self.width = first, columns, tap, width
        self.rows, self.passed, self.failed, self.skipped = [], 0, 0, 0
        self.line(first, columns, "")

    def line(self, name, columns, note):
        text = f"{name:<38}" + "".join(f" {str(c):>{self.width}}" for c in columns) + f"  {note}"
        print(("# " if self.tap else "") + text.rstrip(), flush=True)

    def row(self, name, columns, note, wrong):
        """columns: a list, or why it was skipped. wrong: what was not as it should be; it fails the row."""
        skip = columns if isinstance(columns, str) else None
        if skip:
            print(("# " if self.tap else "") + f"{name:<38} skipped: {skip}", flush=True)
        else:
            self.line(name, columns, note)
        for words in wrong:
            print(f"#   {words}", flush=True)
        self.rows.append((name, columns, "; ".join(["**wrong**: " + w for w in wrong[:1]] + [note] * bool(note))))
        self.skipped += bool(skip)
        self.failed += bool(wrong)
        self.passed += not wrong and not skip
        if self.tap:
            print(f"{'not ok' if wrong else 'ok'} {len(self.rows)} - {name}{' # SKIP ' + skip if skip else ''}", flush=True)

    def end(self):
        print(f"1..{len(self.rows)}" if self.tap else f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")

    def markdown(self, earlier):
        """The table; rows of programs that were not run stay as they were in `earlier`."""
        noted = any(note for _, _, note in self.rows) or "| note |" in earlier
        titles = [self.first, *self.columns] + ["note"] * noted
        made = {}
        for name, columns, note in self.rows:
            if isinstance(columns, str):
                columns, note = ["-"] * len(self.columns), "skipped: " + columns
            cells = [name, *(f"{c:,}" if isinstance(c, int) else str(c) for c in columns)] + [note] * noted
            made[name] = "| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |"
        old = {line[2:].split(" | ")[0]: line for line in earlier.splitlines() if line.startswith("| ")}
        old.pop(self.first, None)
        return "\n".join(["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles), *{**old, **made}.values()])

    def write(self, path, mark):
        """Between <!-- MARK --> and <!-- end MARK --> of a document."""
        begin, end = f"<!-- {mark} -->", f"<!-- end {mark} -->"
        text = path.read_text()
        found = re.search(re.escape(begin) + "(.*)" + re.escape(end), text, flags=re.S)
        if not found:
            sys.exit(f"{path}: there is no place between {begin} and {end}")
        made = f"{begin}\nLast run {time.strftime('%Y-%m-%d')}, {host()}.\n\n{self.markdown(found[1])}\n{end}"
        path.write_text(text[:found.start()] + made + text[found.end():])


def host():
    with open("/etc/os-release") as f:
        system = dict(line.rstrip().split("=", 1) for line in f if "=" in line)["PRETTY_NAME"].strip('"')
    with open("/proc/meminfo") as f:
        gib = int(f.readline().split()[1]) / (1 << 20)
    return f"{os.cpu_count()} CPUs, {gib:.0f} GiB, {system}, Linux {platform.release().split('-')[0]}"
