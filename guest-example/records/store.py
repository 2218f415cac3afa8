"""A file of readings: a header, and records of one size, all little-endian.

    header  4s  b"RDGS"
            I   the version, 1
            Q   the number of records
    record  Q   milliseconds since 1970
            I   the sensor
            f   the value
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from struct import Struct
from typing import NamedTuple, Self

from mapped_file import MappedFile

MAGIC = b"RDGS"
VERSION = 1
HEADER = Struct("<4sIQ")
RECORD = Struct("<QIf")

# So many records are read or written at a time: 1 MiB.
AT_ONCE = (1 << 20) // RECORD.size


class FormatError(Exception):
    """The file is not one of readings."""


class Reading(NamedTuple):
    time: int
    sensor: int
    value: float


class Store:
    """The readings in a file, in the order of their times.

    No `Sequence`: `len` has room for 2**31 of them in a guest of 32 bits, and files for more.
    """

    def __init__(self, path: str) -> None:
        self._file = MappedFile(path)
        try:
            self.count = self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> int:
        size = self._file.size
        if size < HEADER.size:
            raise FormatError(f"{size} bytes are no header")
        magic, version, count = HEADER.unpack(self._file.read(0, HEADER.size))
        if magic != MAGIC:
            raise FormatError(f"it begins with {magic!r} and not with {MAGIC!r}")
        if version != VERSION:
            raise FormatError(f"version {version} is not known")
        if offset(count) != size:
            raise FormatError(f"{count} records don't make {size} bytes")
        return count

    def close(self) -> None:
        self._file.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, index: int) -> Reading:
        """One record: a read of a few bytes, wherever it is."""
        return self.pick([index])[0]

    def __iter__(self) -> Iterator[Reading]:
        for piece in self._file.pieces(HEADER.size, offset(self.count), AT_ONCE * RECORD.size):
            yield from map(Reading._make, RECORD.iter_unpack(piece))

    def pick(self, indices: Iterable[int]) -> list[Reading]:
        """Records from anywhere, in one call to the host."""
        ranges = []
        for index in indices:
            if not 0 <= index < self.count:
                raise IndexError(f"there is no record {index}: there are {self.count}")
            ranges.append((offset(index), RECORD.size))
        data = self._file.read_many(ranges)
        return [Reading._make(fields) for fields in RECORD.iter_unpack(data)]


def write(path: str, readings: Iterable[Reading], count: int) -> None:
    """Makes a new file of `count` readings."""
    with MappedFile(path, create=offset(count)) as file:
        rest = iter(readings)
        at = HEADER.size
        while piece := b"".join(RECORD.pack(*reading) for reading in islice(rest, AT_ONCE)):
            file.write(at, piece)
            at += len(piece)
        # Last, so that what looks like a store is a whole one.
        file.sync()
        file.write(0, HEADER.pack(MAGIC, VERSION, count))
        file.sync()


def offset(index: int) -> int:
    return HEADER.size + index * RECORD.size
