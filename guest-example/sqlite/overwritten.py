#!/usr/bin/env python3
"""A component goes on with a database that another one's bytes were written over, in the same file: a copy
that was changed elsewhere, as often as the one that the component has read.

Both have the same count of changes in the header, and are of different lengths. The component must know
neither the length nor the pages by that count alone.
"""

import argparse
import fcntl
import os
import shutil
import sqlite3
import struct
import subprocess
import tempfile

PENDING, LOCKS = 0x40000000, 512
LESS, MORE = 100, 400_000


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} instead of {wanted!r}")


def execute(path, sql):
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(sql)
    database.close()


def changes(content):
    """How often the database was changed, as its header says."""
    return struct.unpack(">I", content[24:28])[0]


class Component:
    def __init__(self, options, directory):
        command = [options.iommap, "run", "--dir", f"{directory}::/data", "--limit", "locks=64"]
        if options.windows:
            command += ["--limit", "windows=8", "--limit", "window-bytes=1G", "--windows-on-changing-files"]
        command += [options.component, "/data/db"]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def expect(self, what, sql, wanted):
        # What a failed one says is on standard error, which it has of this program.
        try:
            self.process.stdin.write(sql + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline().rstrip("\n")
        if not line:
            raise SystemExit(f"{what}: the component ended ({self.process.wait()})")
        expect(what, line, wanted)


def write_over(path, content):
    """As a program that restores a copy does: the file stays the same one."""
    with open(path, "rb+") as file:
        # The component may not be through with its last statement yet.
        fcntl.lockf(file, fcntl.LOCK_EX, LOCKS, PENDING)
        file.write(content)
        file.truncate()


def go(options, directory):
    # The copies are made beside it, where the component has nothing to do with them.
    path, copy = os.path.join(directory, "db"), os.path.join(directory, "copy")
    execute(path, "PRAGMA journal_mode=delete; CREATE TABLE t (a); INSERT INTO t VALUES ('base')")
    contents = []
    for length in LESS, MORE:
        shutil.copy(path, copy)
        execute(copy, f"INSERT INTO t VALUES (zeroblob({length}))")
        with open(copy, "rb") as file:
            contents.append(file.read())
        os.remove(copy)
    short, long = contents
    expect("the count of changes in the one and the other", changes(short), changes(long))
    expect("the other is longer", len(short) < len(long), True)

    write_over(path, short)
    component = Component(options, directory)
    sql = "SELECT count(*) || ' ' || sum(length(a)) FROM t;"
    component.expect("rows and bytes at first", sql, f"2 {4 + LESS}")
    write_over(path, long)
    component.expect("rows and bytes of the longer one", sql, f"2 {4 + MORE}")
    write_over(path, short)
    component.expect("rows and bytes of the shorter one again", sql, f"2 {4 + LESS}")
    write_over(path, long)
    sql = f"INSERT INTO t VALUES ('more'); {sql}"
    component.expect("rows and bytes with the component's", sql, f"3 {8 + MORE}")
    component.expect("integrity", "PRAGMA integrity_check;", "ok")
    component.process.stdin.close()
    expect("exit code", component.process.wait(), 0)
    native = sqlite3.connect(path)
    expect("rows natively", native.execute("SELECT count(*) FROM t").fetchone(), (3,))
    expect("integrity natively", native.execute("PRAGMA integrity_check").fetchone(), ("ok",))
    native.close()
    print("other databases were written over it, and the component went on")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iommap", default="iommap", help="the host")
    parser.add_argument("--component", default="sqlite.wasm")
    parser.add_argument("--no-windows", dest="windows", action="store_false",
                        help="the component copies what it reads")
    parser.add_argument("--dir", help="where the database is made [default: a temporary directory]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        go(options, directory)


if __name__ == "__main__":
    main()
