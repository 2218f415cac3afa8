#!/usr/bin/env python3
"""A component goes on with a database whose writer was killed, after another program has undone what
that one had done, and has used the same version of the database for something else.

The killed writer leaves a hot journal, and the database longer and of version V+1. The component sees
both, and can't undo it, for the time being. Another program does: version V. It commits more: version
V+1 again, of another length. The component must know neither its length nor its pages by that version.
"""

import argparse
import fcntl
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading

SHARED, SHARED_LENGTH = 0x40000002, 510
RESERVED = SHARED - 1
GROWN = 200 << 10  # the length at which the writer is killed
WRITER = f"""
import resource, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN")
database.execute("INSERT INTO t VALUES (randomblob({4 * GROWN}))")
# To write more of a file ends the program, as any kill does.
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, ({GROWN}, {GROWN}))
database.execute("COMMIT")
"""


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} instead of {wanted!r}")


def version(path):
    """How often the database was changed, as its header says."""
    with open(path, "rb") as file:
        return struct.unpack(">I", file.read(28)[24:])[0]


def program(path, sql):
    """Runs SQL in a native program of its own: its locks are not those of this one."""
    run = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)"
    subprocess.run([sys.executable, "-c", f"{run}; d.executescript(sys.argv[2])", path, sql], check=True)


class Component:
    def __init__(self, options, directory):
        command = [options.iommap, "run", "-vv", "--dir", f"{directory}::/data", "--limit", "locks=64"]
        if options.windows:
            command += ["--limit", "windows=8", "--limit", "window-bytes=1G", "--windows-on-changing-files"]
        command += [options.component, "--timeout", "600000", "/data/db"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.tried = threading.Event()
        self.said = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """To what the host tells of calls."""
        looked = False
        for line in self.process.stderr:
            if " TRACE " not in line:
                self.said.append(line)
            # It found the journal, looked whether its writer lives, and then let go of the database.
            looked = looked or ("would-lock" in line and f"offset: {RESERVED}," in line)
            if looked and re.search(r"\bunlock\b", line):
                self.tried.set()
        self.tried.set()

    def ask(self, sql):
        self.process.stdin.write(sql + "\n")
        self.process.stdin.flush()

    def answer(self):
        line = self.process.stdout.readline().rstrip("\n")
        if not line:
            raise SystemExit(f"the component ended ({self.process.wait()}): {''.join(self.said)}")
        return line

    def stop(self, file):
        """Stops it where it holds no lock, and leaves it so."""
        while True:
            os.kill(self.process.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, SHARED_LENGTH + 2, RESERVED - 1)
                return
            except OSError:
                pass
            os.kill(self.process.pid, signal.SIGCONT)


def go(options, directory):
    path = os.path.join(directory, "db")
    program(path, "PRAGMA journal_mode=delete; CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    component = Component(options, directory)
    component.ask("SELECT count(*) FROM t;")
    expect("rows at first", component.answer(), "1")
    before, length = version(path), os.path.getsize(path)

    killed = subprocess.run([sys.executable, "-c", WRITER, path], capture_output=True, text=True)
    expect(f"how the writer ended ({killed.stderr})", killed.returncode, -signal.SIGXFSZ)
    expect("the database's length", (os.path.getsize(path), length < GROWN), (GROWN, True))
    expect("its version", version(path), before + 1)
    expect("a journal", os.path.getsize(path + "-journal") > 0, True)

    with open(path, "rb+") as file:
        # Nobody undoes anything while another program reads.
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, SHARED_LENGTH, SHARED)
        component.ask("SELECT count(*), sum(length(a)) FROM t;")
        component.tried.wait()
        component.stop(file)
    program(path, "SELECT count(*) FROM t")
    undone = (version(path), os.path.getsize(path), os.path.exists(path + "-journal"))
    expect("version, length and journal when it was undone", undone, (before, length, False))
    program(path, f"INSERT INTO t VALUES (zeroblob({2 * GROWN}))")
    expect("the version of something else", version(path), before + 1)
    os.kill(component.process.pid, signal.SIGCONT)

    expect("rows and bytes that the component sees", component.answer(), f"2|{2 * GROWN + 1}")
    component.ask("INSERT INTO t VALUES (3); SELECT count(*) FROM t; PRAGMA integrity_check;")
    expect("rows with the component's", component.answer(), "3")
    expect("integrity", component.answer(), "ok")
    component.process.stdin.close()
    expect(f"exit code ({''.join(component.said)})", component.process.wait(), 0)
    native = sqlite3.connect(path)
    expect("rows natively", native.execute("SELECT count(*) FROM t").fetchone(), (3,))
    expect("integrity natively", native.execute("PRAGMA integrity_check").fetchone(), ("ok",))
    native.close()
    print("a hot journal was rolled back by another program, and the component went on")


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
