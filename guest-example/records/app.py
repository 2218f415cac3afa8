"""Reads files of fixed-size records through a mapping, with `struct`."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timezone
import math
import sys

from mapped_file import MappingError
from store import FormatError, Reading, Store, write
from wit_world.imports import environment, exit

HELP = """\
Reads files of sensor readings: records of one size, in the order of their times.

Usage: records FILE                  a summary: for each sensor, how many, least, mean, greatest
       records FILE --get N,N,...    these records, read in one call
       records FILE --at TIME        the first record at or after a time, by a binary search;
                                     TIME is ISO 8601, as 2026-01-01T12:00
       records FILE --make N         makes a new file of N readings to try it with

Exit status: 0, or 1 if there is no such record, or 2 if something went wrong.
"""

SENSORS = 8
START = 1_767_225_600_000  # 2026-01-01


class Misuse(Exception):
    """The command line makes no sense."""


class Run:
    """What the world exports as `wasi:cli/run`."""

    def run(self) -> None:
        status = main(environment.get_arguments()[1:])
        sys.stdout.flush()
        exit.exit_with_code(status)


def main(args: list[str]) -> int:
    try:
        match args:
            case ["-h" | "--help", *_]:
                print(HELP, end="")
                return 0
            case [path, "--make", count]:
                count = number(count)
                write(path, sample(count), count)
                print(f"{path}: {count} records")
                return 0
            case [path, "--get", indices]:
                wanted = [number(index) for index in indices.split(",")]
                with Store(path) as store:
                    for index, reading in zip(wanted, store.pick(wanted)):
                        show(index, reading)
                return 0
            case [path, "--at", time]:
                return find(path, milliseconds(time))
            case [path] if not path.startswith("-"):
                summarise(path)
                return 0
            case _:
                raise Misuse("which file, and what of it?")
    except Misuse as why:
        print(f"records: {why}\nrecords: --help says how it is used", file=sys.stderr)
    except IndexError as why:
        print(f"records: {why}", file=sys.stderr)
        return 1
    except FormatError as why:
        print(f"records: {args[0]}: not a file of readings: {why}", file=sys.stderr)
    except MappingError as why:
        print(f"records: {why.filename}: {why.strerror} ({why.code_name})", file=sys.stderr)
    return 2


def summarise(path: str) -> None:
    with Store(path) as store:
        counts: defaultdict[int, int] = defaultdict(int)
        least: defaultdict[int, float] = defaultdict(lambda: math.inf)
        greatest: defaultdict[int, float] = defaultdict(lambda: -math.inf)
        sums: defaultdict[int, float] = defaultdict(float)
        for _, sensor, value in store:
            counts[sensor] += 1
            sums[sensor] += value
            least[sensor] = min(least[sensor], value)
            greatest[sensor] = max(greatest[sensor], value)
        print(f"{path}: {len(store)} records of {len(counts)} sensors")
        if store:
            print(f"  from {iso(store[0].time)} to {iso(store[len(store) - 1].time)}")
    for sensor in sorted(counts):
        mean = sums[sensor] / counts[sensor]
        print(
            f"  sensor {sensor}: {counts[sensor]} readings, "
            f"{least[sensor]:.2f} to {greatest[sensor]:.2f}, {mean:.2f} on average"
        )


def find(path: str, time: int) -> int:
    with Store(path) as store:
        index = bisect_left(store, time, key=lambda reading: reading.time)
        if index == len(store):
            print(f"records: there is no record at or after {iso(time)}", file=sys.stderr)
            return 1
        show(index, store[index])
    return 0


def sample(count: int) -> Iterator[Reading]:
    """Readings as they might be: a day's waves, one sensor after the other, a second apart."""
    for index in range(count):
        sensor = index % SENSORS
        day = index / 86_400 * math.tau
        yield Reading(START + index * 1000, sensor, 20 + sensor + 5 * math.sin(day))


def show(index: int, reading: Reading) -> None:
    print(f"{index}: {iso(reading.time)} sensor {reading.sensor}: {reading.value:.3f}")


def iso(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, timezone.utc).isoformat(timespec="milliseconds")


def milliseconds(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Misuse(f"{text!r} is not a time, such as 2026-01-01T12:00") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    return round(time.timestamp() * 1000)


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Misuse(f"{text!r} is not a number")
    return int(text)
