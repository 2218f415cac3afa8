"""A mapping as Python has it: errors are raised with their code, and `with` closes it."""

from collections.abc import Callable, Iterable, Iterator
import errno
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from componentize_py_types import Err
from wit_world.imports import batch, types
from wit_world.imports.types import AccessMode, Advice, Mapping, OpenFlags, SyncMode

P = ParamSpec("P")
R = TypeVar("R")

# The errors of the host that have a number in C too. `OSError` makes a `FileNotFoundError` of
# ENOENT, a `PermissionError` of EACCES, and so on.
NUMBERS: dict[type, int] = {
    types.ErrorCode_Badarg: errno.EINVAL,
    types.ErrorCode_Enomem: errno.ENOMEM,
    types.ErrorCode_Enoent: errno.ENOENT,
    types.ErrorCode_Eacces: errno.EACCES,
    types.ErrorCode_Closed: errno.EBADF,
    types.ErrorCode_OutOfBounds: errno.ERANGE,
    types.ErrorCode_Sigbus: errno.EFAULT,
    types.ErrorCode_Eexist: errno.EEXIST,
    types.ErrorCode_Enospc: errno.ENOSPC,
    types.ErrorCode_Efbig: errno.EFBIG,
    types.ErrorCode_Emfile: errno.EMFILE,
    types.ErrorCode_LimitExceeded: errno.EDQUOT,
    types.ErrorCode_Enotsup: errno.ENOTSUP,
    types.ErrorCode_Eio: errno.EIO,
}

EXPLANATIONS: dict[type, str] = {
    types.ErrorCode_Enoent: "there is no such file. Names are those that the component sees: "
    "--dir HOST::GUEST shows the host's directory HOST as GUEST",
    types.ErrorCode_Eacces: "not granted, or not for writing. A directory is granted with "
    "`iommap run --dir DIR ...`",
    types.ErrorCode_Enotreg: "not a regular file",
    types.ErrorCode_Badarg: "this path cannot be the name of a file",
    types.ErrorCode_Eexist: "the file exists already",
    types.ErrorCode_OutOfBounds: "this lies beyond the end of the file",
    types.ErrorCode_Sigbus: "the file was cut short while it was being read",
    types.ErrorCode_LimitExceeded: "a limit of the host is reached: "
    "see `iommap run --limit NAME=VALUE ...`",
    types.ErrorCode_Enospc: "the disk is full",
}


class MappingError(OSError):
    """What the host reports. `code` is its case of `error-code` in `iommap.wit`."""

    def __init__(self, code: types.ErrorCode, path: str) -> None:
        why = EXPLANATIONS.get(type(code)) or getattr(code, "value", None)
        super().__init__(NUMBERS.get(type(code), errno.EIO), why or "the host refused", path)
        self.code = code

    @property
    def code_name(self) -> str:
        """The code, as Python writes it."""
        return type(self.code).__name__.removeprefix("ErrorCode_")


class MappedFile:
    """A file, mapped."""

    def __init__(self, path: str, *, create: int | None = None) -> None:
        """Maps a file for reading; or makes a new one of `create` bytes and maps it for both."""
        self._path = path
        mode, flags = AccessMode.READ, OpenFlags.SHARED
        if create is not None:
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

    def __len__(self) -> int:
        return self._call(self._mapping.position)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes."""
        return self._call(self._mapping.pread, offset, length)

    def read_many(self, ranges: Iterable[tuple[int, int]]) -> bytes:
        """Many ranges in one call, back to back."""
        wanted = [batch.Range(offset, length) for offset, length in ranges]
        return self._call(batch.pread_many, self._mapping, wanted)

    def pieces(self, start: int, end: int, length: int) -> Iterator[bytes]:
        """A range from front to back, in pieces."""
        self._call(self._mapping.advise, start, end - start, Advice.SEQUENTIAL)
        for offset in range(start, end, length):
            yield self.read(offset, min(length, end - offset))

    def write(self, offset: int, data: bytes) -> None:
        self._call(self._mapping.pwrite, offset, data)

    def sync(self) -> None:
        """Waits until the device has what was written."""
        self._call(self._mapping.sync, SyncMode.SYNC)

    def _call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Err as error:
            raise MappingError(error.value, self._path) from None
