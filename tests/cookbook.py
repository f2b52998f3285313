#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: 2026 The kalloscope authors
# Runs every query of db/COOKBOOK.md on a recording made now: in the bare sqlite3 shell and in
# Python's sqlite3, or with `kalloscope sql` where the cookbook uses its functions. Each must answer
# with at least one row and with the columns that the printed output has.
#   cookbook.py BUILD [--write]      TAP on stdout; --write prints the outputs into the file anew
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(sys.argv[1])
BOOK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "db", "COOKBOOK.md")
WIDTH = 110
RECIPE = re.compile(r"```sql\n(.*?)```\n\n```text\n(.*?)```\n", re.S)
PROGRAM = re.compile(r"```python\n(.*?)```\n", re.S)


def record(folder, book):
    program = os.path.join(folder, "work.py")
    with open(program, "w", encoding="utf-8") as f:
        f.write(PROGRAM.search(book).group(1))
    name = os.path.join(folder, "work.kalloscope")
    python = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else "python3"
    env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "KALLOSCOPE_OPTIONS")}
    subprocess.run([BUILD + "/kalloscope", "record", "-q", "-o", name, "--", python, "work.py"],
                   check=True, cwd=folder, env=dict(env, PYTHONMALLOC="malloc"), stdout=subprocess.DEVNULL)
    return name


def shell(name, query):
    return subprocess.run(["sqlite3", "-readonly", "-header", "-column", name], input=query,
                          capture_output=True, text=True)


def own(name, query):
    p = subprocess.run([BUILD + "/kalloscope", "sql", name, query.rstrip().rstrip(";")],
                       capture_output=True, text=True)
    rows = [line.split("\t") for line in p.stdout.splitlines()]
    width = [min(70, max(len(r[i]) for r in rows)) for i in range(len(rows[0]))] if rows else []
    p.stdout = "".join("  ".join(c[:70].ljust(w) for c, w in zip(r, width)).rstrip() + "\n" for r in rows)
    return p


def check(name, query, printed, functions):
    """None, or what is wrong; and the output."""
    p = own(name, query) if functions else shell(name, query)
    lines = p.stdout.splitlines()
    if p.returncode or p.stderr:
        return p.stderr.strip(), p.stdout
    if len(lines) < (2 if functions else 3):
        return "no row", p.stdout
    if lines[0].split() != printed.splitlines()[0].split():
        return "other columns than printed: " + lines[0], p.stdout
    if functions:
        return None, p.stdout
    with sqlite3.connect("file:%s?mode=ro" % name, uri=True) as db:
        rows = db.execute(query).fetchall()
    return None if len(rows) == len(lines) - 2 else "Python has %d rows" % len(rows), p.stdout


def columns(name):
    """Columns of the views that people read whose values are not all of one declared kind: programs that
    read by the column (DuckDB, ODBC, GDAL) take its kind for that of every value."""
    wrong = []
    with sqlite3.connect("file:%s?mode=ro" % name, uri=True) as db:
        for view in ("events", "transitions", "stacks", "sites"):
            # What SQLite says of a view's column, it says of a table made from it
            db.execute("CREATE TEMP TABLE made AS SELECT * FROM %s LIMIT 0" % view)
            for _, column, kind, *_ in db.execute("PRAGMA temp.table_info(made)").fetchall():
                found = {r[0] for r in db.execute('SELECT DISTINCT typeof("%s") FROM %s' % (column, view))} - {"null"}
                if kind not in ("INT", "TEXT") or found - {"integer" if kind == "INT" else "text"}:
                    wrong.append("%s.%s: %s, declared '%s'" % (view, column, ", ".join(sorted(found)), kind))
            db.execute("DROP TABLE temp.made")
    return wrong


def main():
    with open(BOOK, encoding="utf-8") as f:
        book = f.read()
    recipes = list(RECIPE.finditer(book))
    functions_from = book.index("## With kalloscope's functions")
    bad, text, end = 0, "", 0
    with tempfile.TemporaryDirectory(prefix="kalloscope-cookbook.") as folder:
        name = record(folder, book)
        for i, m in enumerate(recipes, 1):
            title = book.rfind("### ", 0, m.start()) + 4
            wrong, output = check(name, m.group(1), m.group(2), m.start() > functions_from)
            output = "".join(line[:WIDTH].rstrip() + "\n" for line in output.splitlines())
            print("%s %d - %s" % ("not ok" if wrong else "ok", i, book[title:book.index("\n", title)]))
            if wrong:
                print("# " + wrong)
                bad += 1
            text += book[end:m.start(2)] + output
            end = m.end(2)
        untyped = columns(name)
    enough = len(recipes) >= 30
    print("%s %d - thirty questions" % ("ok" if enough else "not ok", len(recipes) + 1))
    print("%s %d - every column of the views has one kind" % ("not ok" if untyped else "ok", len(recipes) + 2))
    for line in untyped:
        print("# " + line)
    print("1..%d" % (len(recipes) + 2))
    if sys.argv[2:] == ["--write"]:
        with open(BOOK, "w", encoding="utf-8") as f:
            f.write(text + book[end:])
        return 0
    return 1 if bad or not enough or untyped else 0


sys.exit(main())
