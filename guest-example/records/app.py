"""Reads files of fixed-size records through a mapping, with `struct`."""

import argparse
from collections.abc import Iterator
from datetime import datetime, timezone
import math
import sys
from typing import NoReturn

from mapped_file import MappingError
from store import FormatError, Reading, Store, write
from wit_world.imports import environment, exit

SENSORS = 8
START = 1_767_225_600_000  # 2026-01-01

# Exit codes: 2 would be the command line's own.
DONE, NO_SUCH_RECORD, FAILED = 0, 1, 3


class Run:
    """What the world exports as `wasi:cli/run`."""

    def run(self) -> None:
        status = main(environment.get_arguments()[1:])
        sys.stdout.flush()
        exit.exit_with_code(status)


class Parser(argparse.ArgumentParser):
    """`SystemExit` would be a trap: whoever parses is told."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        raise Ended(status, message or "")


class Ended(Exception):
    pass


def parser() -> Parser:
    parser = Parser(
        prog="records",
        description="Reads files of sensor readings: records of one size, in the order of their "
        "times. Without an option, a summary: for each sensor, how many, least, mean, greatest.",
        epilog="Exit status: 0, or 1 if there is no such record, or 3 if something went wrong.",
    )
    parser.add_argument("file", metavar="FILE")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--get", metavar="N,N,...", type=numbers, help="these records, in one call")
    what.add_argument(
        "--at", metavar="TIME", type=milliseconds, help="the first record at or after this time"
    )
    what.add_argument("--make", metavar="N", type=number, help="make a new file of N readings")
    return parser


def main(args: list[str]) -> int:
    try:
        options = PARSER.parse_args(args)
    except Ended as ended:
        status, message = ended.args
        print(message, end="", file=sys.stderr)
        return FAILED if status else DONE
    path = options.file
    try:
        if options.make is not None:
            write(path, sample(options.make), options.make)
            print(f"{path}: {options.make} records")
            return DONE
        with Store(path) as store:
            if options.get is not None:
                for index, reading in zip(options.get, store.pick(options.get)):
                    show(index, reading)
                return DONE
            if options.at is not None:
                return find(store, options.at)
            summarise(path, store)
            return DONE
    except IndexError as why:
        print(f"records: {why}", file=sys.stderr)
        return NO_SUCH_RECORD
    except FormatError as why:
        print(f"records: {path}: not a file of readings: {why}", file=sys.stderr)
    except OverflowError as why:
        print(f"records: {path}: {why}", file=sys.stderr)
    except MappingError as why:
        print(f"records: {why.filename}: {why.strerror} ({why.code})", file=sys.stderr)
    return FAILED


def summarise(path: str, store: Store) -> None:
    sensors: dict[int, list[float]] = {}
    for _, sensor, value in store:
        count, least, greatest, total = sensors.get(sensor, (0, math.inf, -math.inf, 0.0))
        sensors[sensor] = [count + 1, min(least, value), max(greatest, value), total + value]
    print(f"{path}: {store.count} records of {len(sensors)} sensors")
    if store.count > 0:
        print(f"  from {iso(store[0].time)} to {iso(store[store.count - 1].time)}")
    for sensor, (count, least, greatest, total) in sorted(sensors.items()):
        print(
            f"  sensor {sensor}: {count} readings, "
            f"{least:.2f} to {greatest:.2f}, {total / count:.2f} on average"
        )


def find(store: Store, time: int) -> int:
    """By a binary search of our own: `bisect` has no room for 2**31 records here."""
    first, end = 0, store.count
    while first < end:
        middle = (first + end) // 2
        if store[middle].time < time:
            first = middle + 1
        else:
            end = middle
    if first == store.count:
        print(f"records: there is no record at or after {iso(time)}", file=sys.stderr)
        return NO_SUCH_RECORD
    show(first, store[first])
    return DONE


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
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2026-01-01T12:00")
    if time.tzinfo is None:
        time = time.replace(tzinfo=timezone.utc)
    return round(time.timestamp() * 1000)


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def numbers(text: str) -> list[int]:
    return [number(part) for part in text.split(",")]


# Made, and used once, while the component is built: what argparse imports only when it needs it
# would not be there later.
PARSER = parser()
PARSER.format_help()
