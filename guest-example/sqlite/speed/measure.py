#!/usr/bin/env python3
"""Measures SQLite's own speed test: natively, and in one component on windows, on copies from mappings,
and on plain files of WASI. Prints medians of rounds that go through all of them in turn, and of what
part of native's rate each has in a round.

WASI's files know no locks, and the others take some for each transaction. So that like is compared with
like there is `--locking none` and `--locking exclusive`, where nobody takes any.

The statements' times are as the test counts them, by the clock. On a machine with other work only the
processor's time says something; it has the start of the program in it.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import tempfile

WINDOWS = ["--limit", "windows=8", "--limit", "window-bytes=1G", "--windows-on-changing-files"]
CHANGES = "INSERT|UPDATE|DELETE|REPLACE|CREATE|VACUUM|REFILL|ALTER|DROP|ANALYZE|INTO"
LINE = re.compile(r"^ *(\d+) - (.*?)\.{2,} *([\d.]+)s$")


def measured(command):
    """Seconds in statements that read, in others, and of the processor altogether."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}: {done.stderr}{done.stdout}")
    reads = writes = 0.0
    for line in done.stdout.splitlines():
        found = LINE.match(line)
        if not found:
            continue
        name, seconds = found[2].upper(), float(found[3])
        if re.search(CHANGES, name):
            writes += seconds
        else:
            reads += seconds
    if reads == 0 or writes == 0:
        raise SystemExit(f"the test printed nothing that can be counted: {done.stdout}")
    processor = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return reads, writes, processor


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iommap", default="iommap", help="the host, with all optimisation")
    parser.add_argument("--component", default="speed.wasm")
    parser.add_argument("--native", default="./speed")
    parser.add_argument("--size", default="25", help="of the test")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--journal", default="delete")
    parser.add_argument("--cachesize", help="pages that SQLite itself keeps [default: 2 MB]")
    parser.add_argument("--locking", default="normal", choices=["normal", "none", "exclusive"],
                        help="none: all open the database with nolock=1; exclusive: PRAGMA locking_mode")
    parser.add_argument("--dir", help="where the database is made [default: a temporary directory]")
    options = parser.parse_args()
    test = ["--size", options.size, "--journal", options.journal]
    test += ["--cachesize", options.cachesize] if options.cachesize else []
    test += ["--exclusive"] if options.locking == "exclusive" else []

    def database(path):
        return f"file:{path}?nolock=1" if options.locking == "none" else path

    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        run = [options.iommap, "run", "--dir", f"{directory}::/data", "--limit", "locks=64"]
        variants = {
            "native": [options.native, *test, database(f"{directory}/db")],
            "component, windows": [*run, *WINDOWS, options.component, *test, database("/data/db")],
            "component, copies": [*run, options.component, *test, database("/data/db")],
            "component, WASI's files": [*run, options.component, *test, "--vfs", "unix-none",
                                        database("/data/db")],
        }
        times = {name: [] for name in variants}
        for round in range(-1, options.rounds):
            for name, command in variants.items():
                for left in os.listdir(directory):
                    os.unlink(os.path.join(directory, left))
                result = measured(command)
                if round >= 0:  # the first one only warms up
                    times[name].append(result)

    print(f"speedtest1 {' '.join(test)}, locking {options.locking}, medians of {options.rounds} rounds; in "
          "brackets the part of native's rate\n")
    print("| | statements that read, s | that write, s | processor time of all, s |")
    print("|---|---:|---:|---:|")
    for name, rows in times.items():
        cells = []
        for own, native in zip(zip(*rows), zip(*times["native"])):
            part = statistics.median(base / value for value, base in zip(own, native))
            cells.append(f"{statistics.median(own):.3f} ({part:.2f})")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
