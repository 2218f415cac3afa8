"""A file of readings: a header, and records of one size, all little-endian.

    header  4s  b"RDGS"
            I   the version, 1
            Q   the number of records
    record  Q   milliseconds since 1970
            I   the sensor
            f   the value
"""

from collections.abc import Iterable, Iterator, Sequence
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


class Store(Sequence[Reading]):
    """The readings in a file, in the order of their times."""

    def __init__(self, path: str) -> None:
        self._file = MappedFile(path)
        try:
            self._length = self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> int:
        size = len(self._file)
        if size < HEADER.size:
            raise FormatError(f"{size} bytes are no header")
        magic, version, count = HEADER.unpack(self._file.read(0, HEADER.size))
        if magic != MAGIC:
            raise FormatError(f"it begins with {magic!r} and not with {MAGIC!r}")
        if version != VERSION:
            raise FormatError(f"version {version} is not known")
        if HEADER.size + count * RECORD.size != size:
            raise FormatError(f"{count} records don't make {size} bytes")
        return count

    def close(self) -> None:
        self._file.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Reading:
        """One record: a read of a few bytes, wherever it is."""
        if not 0 <= index < self._length:
            raise IndexError(f"there is no record {index}: there are {self._length}")
        return Reading(*RECORD.unpack(self._file.read(offset(index), RECORD.size)))

    def __iter__(self) -> Iterator[Reading]:
        for piece in self._file.pieces(HEADER.size, offset(self._length), AT_ONCE * RECORD.size):
            yield from map(Reading._make, RECORD.iter_unpack(piece))

    def pick(self, indices: Sequence[int]) -> list[Reading]:
        """Records from anywhere, in one call to the host."""
        for index in indices:
            if not 0 <= index < self._length:
                raise IndexError(f"there is no record {index}: there are {self._length}")
        data = self._file.read_many((offset(index), RECORD.size) for index in indices)
        return [Reading._make(fields) for fields in RECORD.iter_unpack(data)]


def write(path: str, readings: Iterable[Reading], count: int) -> None:
    """Makes a new file of `count` readings."""
    with MappedFile(path, create=offset(count)) as file:
        rest = iter(readings)
        for start in range(0, count, AT_ONCE):
            piece = bytearray()
            for _ in range(min(AT_ONCE, count - start)):
                piece += RECORD.pack(*next(rest))
            file.write(offset(start), bytes(piece))
        # Last, so that what looks like a store is a whole one.
        file.sync()
        file.write(0, HEADER.pack(MAGIC, VERSION, count))
        file.sync()


def offset(index: int) -> int:
    return HEADER.size + index * RECORD.size
