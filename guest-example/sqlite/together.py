#!/usr/bin/env python3
"""Components and native programs use one SQLite database at once, are killed in the middle of it, and
nothing that was committed is lost.

Writers of both kinds commit transactions, each acknowledged before the next begins; readers of both
kinds look whether what they see is one moment of the database. Any of them is killed (SIGKILL) again and
again, and started anew. In the end both kinds find the database in order, and in it every transaction
that was acknowledged.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TIMEOUT = "120000"  # milliseconds: to wait for the locks of others
WINDOWS = ["--limit", "windows=64", "--limit", "window-bytes=1G", "--windows-on-changing-files",
           "--writable-windows"]
NATIVE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=120, isolation_level=None)
for line in sys.stdin:
    for statement in line.split(";"):
        for row in database.execute(statement):
            print("|".join(map(str, row)), flush=True)
"""


def native(path):
    """Debian's sqlite3, or else the SQLite of Python."""
    if shutil.which("sqlite3") and shutil.which("stdbuf"):
        return ["stdbuf", "-oL", "sqlite3", "-batch", "-bail", "-cmd", f".timeout {TIMEOUT}", path]
    return [sys.executable, "-c", NATIVE, path]


class Program:
    """One that uses the database, as often as it is killed and started anew."""

    def __init__(self, run, kind, command):
        self.run, self.kind, self.command = run, kind, command
        self.process, self.kills, self.killed, self.asked = None, 0, False, False
        self.lock = threading.Lock()

    def start(self):
        with self.lock:
            self.killed = False
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, sql):
        """Runs SQL that answers with one line, and returns it, or None if it was killed."""
        try:
            self.process.stdin.write(sql + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        self.asked = True
        answer = self.process.stdout.readline()
        self.asked = False
        if answer.endswith("\n"):
            return answer.rstrip("\n")
        said = self.process.stderr.read()
        code = self.process.wait()
        if not self.killed:
            raise SystemExit(f"{self.kind} ended by itself ({code}): {said}")
        return None

    def kill(self):
        with self.lock:
            if not self.asked or self.process.poll() is not None:
                return False
            # Somewhere in what it was asked for.
            time.sleep(random.random() * 0.004)
            self.killed = True
            self.kills += 1
            self.process.kill()
            return True

    def end(self):
        self.process.stdin.close()
        said, code = self.process.stderr.read(), self.process.wait()
        if code != 0 and not self.killed:
            raise SystemExit(f"{self.kind} ended with {code}: {said}")


class Run:
    def __init__(self, options, directory):
        self.options = options
        self.path = os.path.join(directory, "together.db")
        self.record = open(os.path.join(directory, "acknowledged"), "w")
        self.component = [options.iommap, "run", "--dir", f"{directory}::/data", "--limit",
                          "locks=64", *(WINDOWS if options.windows else []), options.component,
                          "--timeout", TIMEOUT]
        self.acknowledged = 0
        self.last = {}
        self.seen = {"component": 0, "native": 0}
        self.committed = {"component": 0, "native": 0}
        self.lock = threading.Lock()
        self.failures = []

    def command(self, kind):
        return native(self.path) if kind == "native" else [*self.component, "/data/together.db"]

    def once(self, kind, sql):
        """What a program prints that runs SQL and ends."""
        done = subprocess.run(self.command(kind), input=sql + "\n", text=True, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"{kind}: {sql}: {done.returncode}: {done.stderr}")
        return done.stdout.strip()

    def over(self):
        # Both kinds have had a part in it.
        enough = (self.acknowledged >= self.options.transactions and all(self.seen.values())
                  and all(self.committed.values()))
        if self.acknowledged > 10 * self.options.transactions + 5000:
            self.failures.append(f"one kind does nothing: {self.committed} commits, {self.seen} reads")
        return enough or self.failures

    def write(self, program, writer):
        number = 0
        # Pages that don't fit are written before the transaction ends.
        settings = f"PRAGMA synchronous={self.options.synchronous}; PRAGMA cache_size=20;"
        while not self.over():
            program.start()
            found = program.ask(f"{settings} SELECT coalesce(max(number), 0) FROM entries "
                                f"WHERE writer = {writer};")
            if found is None:
                continue
            last = self.last.get(writer, 0)
            # What was not acknowledged may have been committed or not.
            if not last <= int(found) <= last + 1:
                raise SystemExit(f"writer {writer}: {last} was acknowledged, and {found} is there")
            number = int(found) + 1
            while not self.over():
                change = ("UPDATE entries SET filling = randomblob(abs(random()) % 1200) WHERE id > "
                          "(SELECT max(id) - 300 FROM entries);" if random.random() < 0.1 else "")
                # Some twenty times the file is written anew, and cut.
                cut = "VACUUM;" if random.random() < 20 / self.options.transactions else ""
                answer = program.ask(
                    f"BEGIN IMMEDIATE; INSERT INTO entries VALUES (NULL, {writer}, {number}, "
                    f"randomblob({random.randrange(1, 600)})); UPDATE state SET total = total + 1; "
                    f"{change} COMMIT; {cut} SELECT 'committed', {number};")
                if answer is None:
                    break
                if answer != f"committed|{number}":
                    raise SystemExit(f"writer {writer}: {answer}")
                with self.lock:
                    self.record.write(f"{writer} {number}\n")
                    self.record.flush()
                    self.last[writer] = number
                    self.acknowledged += 1
                    self.committed[program.kind] += 1
                number += 1
                # So that the others come to it: SQLite waits for a lock by sleeping.
                time.sleep(random.random() * 0.004)
        program.end()

    def read(self, program):
        while not self.over():
            program.start()
            while not self.over():
                answer = program.ask(
                    "BEGIN; SELECT (SELECT total FROM state) = (SELECT coalesce(max(id), 0) FROM "
                    "entries), (SELECT total FROM state); COMMIT;")
                if answer is None:
                    break
                if not answer.startswith("1|"):
                    raise SystemExit(f"a reader saw half of a transaction: {answer}")
                with self.lock:
                    self.seen[program.kind] += 1
                time.sleep(random.random() * 0.01)
        program.end()

    def guarded(self, work, *arguments):
        try:
            work(*arguments)
        except (SystemExit, Exception) as error:  # whatever it is, it ends the run
            self.failures.append(str(error) or repr(error))

    def killer(self, programs):
        options = self.options
        for kill in range(1, options.kills + 1):
            while self.acknowledged < options.transactions * kill // (options.kills + 1):
                if self.over():
                    return
                time.sleep(0.002)
            # Each kind in turn.
            kinds = [program for program in programs if (program.kind == "native") == (kill % 2 == 0)]
            while not self.over() and not random.choice(kinds).kill():
                time.sleep(0.001)

    def go(self):
        options = self.options
        self.once("native", "PRAGMA page_size=1024; CREATE TABLE entries (id INTEGER PRIMARY KEY, "
                  "writer INT, number INT, filling BLOB); CREATE UNIQUE INDEX one ON entries (writer, number); "
                  "CREATE TABLE state (total INT); INSERT INTO state VALUES (0);")
        mode = self.once("native", f"PRAGMA journal_mode={options.journal};")
        if mode != options.journal:
            raise SystemExit(f"the journal is {mode}")
        programs, threads = [], []
        for kind in ["component", "native"]:
            for _ in range(options.writers):
                program = Program(self, kind, self.command(kind))
                threads.append((self.write, program, len(programs)))
                programs.append(program)
            for _ in range(options.readers):
                program = Program(self, kind, self.command(kind))
                threads.append((self.read, program))
                programs.append(program)
        threads.append((self.killer, programs))
        began = time.monotonic()
        running = [threading.Thread(target=self.guarded, args=thread) for thread in threads]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        self.record.close()
        if self.failures:
            raise SystemExit("\n".join(self.failures))
        self.verify(programs, time.monotonic() - began)

    def verify(self, programs, seconds):
        sql = ("SELECT writer, number FROM entries ORDER BY writer, number; SELECT 'total', total, "
               "(SELECT count(*) FROM entries) FROM state; PRAGMA integrity_check;")
        found = self.once("native", sql)
        if self.once("component", sql) != found:
            raise SystemExit("the two kinds find different databases")
        *entries, total, integrity = found.split("\n")
        if integrity != "ok":
            raise SystemExit(f"integrity check: {integrity}")
        entries = {tuple(entry.split("|")) for entry in entries}
        if total != f"total|{len(entries)}|{len(entries)}":
            raise SystemExit(f"{len(entries)} entries, and {total}")
        with open(self.record.name) as record:
            acknowledged = {tuple(line.split()) for line in record}
        lost = acknowledged - entries
        if lost:
            raise SystemExit(f"{len(lost)} committed transactions are lost: {sorted(lost)[:5]}")
        # One whose acknowledgement a kill took.
        more = len(entries) - len(acknowledged)
        kills = {kind: sum(p.kills for p in programs if p.kind == kind) for kind in self.seen}
        if more > sum(kills.values()):
            raise SystemExit(f"{more} transactions are there that nobody was told of")
        by = self.committed
        print(f"journal {self.options.journal}: {len(acknowledged)} transactions acknowledged "
              f"({by['component']} of components, {by['native']} native), none lost, {more} more "
              f"committed by programs that were killed; {kills['component']} components and "
              f"{kills['native']} native programs killed; {self.seen['component']} and "
              f"{self.seen['native']} reads, all of one moment; integrity check ok by both kinds; "
              f"{seconds:.0f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iommap", default="iommap", help="the host")
    parser.add_argument("--component", default="sqlite.wasm")
    parser.add_argument("--journal", default="delete", choices=["delete", "truncate", "persist", "wal"])
    parser.add_argument("--synchronous", default="full", choices=["off", "normal", "full"])
    parser.add_argument("--transactions", type=int, default=400)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--writers", type=int, default=2, help="of each kind")
    parser.add_argument("--readers", type=int, default=1, help="of each kind")
    parser.add_argument("--no-windows", dest="windows", action="store_false",
                        help="the component copies what it reads")
    parser.add_argument("--dir", help="where the database is made [default: a temporary directory]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        Run(options, directory).go()


if __name__ == "__main__":
    main()
