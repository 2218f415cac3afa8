"""A mapping as Python has it: errors are raised with their code, and `with` closes it."""

from collections.abc import Callable, Iterable, Iterator
import errno
import re
import sys
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from componentize_py_types import Err
from wit_world.imports import batch, types
from wit_world.imports.types import AccessMode, Advice, Mapping, OpenFlags, SyncMode

P = ParamSpec("P")
R = TypeVar("R")

# The number in C, and what can be done about it. `OSError` makes a `FileNotFoundError` of ENOENT,
# a `PermissionError` of EACCES, and so on.
ERRORS: dict[str, tuple[int, str]] = {
    "badarg": (errno.EINVAL, "this path cannot be the name of a file"),
    "enomem": (errno.ENOMEM, "the host has no memory or address space left"),
    "enoent": (
        errno.ENOENT,
        "there is no such file. Names are those that the component sees: "
        "--dir HOST::GUEST shows the host's directory HOST as GUEST",
    ),
    "eacces": (
        errno.EACCES,
        "not granted, or not for writing. A directory is granted with `iommap run --dir DIR ...`",
    ),
    "closed": (errno.EBADF, "it is closed"),
    "out-of-bounds": (errno.ERANGE, "this lies beyond the end of the file"),
    "sigbus": (errno.EFAULT, "the file was cut short while it was being read"),
    "eexist": (errno.EEXIST, "the file exists already"),
    "enotreg": (errno.EIO, "not a regular file"),
    "enospc": (errno.ENOSPC, "the disk is full"),
    "efbig": (errno.EFBIG, "the file would be too long"),
    "emfile": (errno.EMFILE, "the host has too many files open"),
    "limit-exceeded": (
        errno.EDQUOT,
        "a limit of the host is reached: see `iommap run --limit NAME=VALUE ...`",
    ),
    "enotsup": (errno.ENOTSUP, "its file system cannot map files"),
    "eio": (errno.EIO, "the device failed"),
    "other": (errno.EIO, "the host refused"),
}

# Offsets are numbers of 64 bits in the interface, and lengths of `bytes` have 31 here.
LAST_OFFSET = (1 << 64) - 1
LONGEST = sys.maxsize


class MappingError(OSError):
    """What the host reports. `code` is the name of its case of `error-code` in `iommap.wit`."""

    def __init__(self, case: types.ErrorCode, path: str) -> None:
        name = type(case).__name__.removeprefix("ErrorCode_")
        self.code = re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()
        number, words = ERRORS[self.code]
        super().__init__(number, getattr(case, "value", None) or words, path)


class MappedFile:
    """A file, mapped."""

    def __init__(self, path: str, *, create: int | None = None) -> None:
        """Maps a file for reading; or makes a new one of `create` bytes and maps it for both."""
        self._path = path
        mode, flags = AccessMode.READ, OpenFlags.SHARED
        if create is not None:
            fitting(create, LAST_OFFSET)
            mode = AccessMode.READ_WRITE
            flags |= OpenFlags.CREATE | OpenFlags.EXCLUSIVE
        self._mapping = self._call(Mapping.open, path, mode, flags, create)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._mapping.__exit__(kind, value, traceback)

    @property
    def size(self) -> int:
        """In bytes. Not `len`, which has no room for 2 GiB in a guest of 32 bits."""
        return self._call(self._mapping.position)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes."""
        fitting(offset, LAST_OFFSET)
        return self._call(self._mapping.pread, offset, fitting(length, LONGEST))

    def read_many(self, ranges: Iterable[tuple[int, int]]) -> bytes:
        """Many ranges in one call, back to back."""
        wanted = [
            batch.Range(fitting(offset, LAST_OFFSET), fitting(length, LONGEST))
            for offset, length in ranges
        ]
        fitting(sum(range.length for range in wanted), LONGEST)
        return self._call(batch.pread_many, self._mapping, wanted)

    def pieces(self, start: int, end: int, length: int) -> Iterator[bytes]:
        """A range from front to back, in pieces."""
        self._call(self._mapping.advise, start, end - start, Advice.SEQUENTIAL)
        while start < end:
            yield self.read(start, min(length, end - start))
            start += length

    def write(self, offset: int, data: bytes) -> None:
        self._call(self._mapping.pwrite, fitting(offset, LAST_OFFSET), data)

    def sync(self) -> None:
        """Waits until the device has what was written."""
        self._call(self._mapping.sync, SyncMode.SYNC)

    def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Err as error:
            raise MappingError(error.value, self._path) from None


def fitting(number: int, most: int) -> int:
    """What does not fit into the interface's types would end the component, not the call."""
    if not 0 <= number <= most:
        raise OverflowError(f"{number} is not from 0 to {most}")
    return number
