"""Counts the lines of a file and prints its last one, through a mapping."""

import sys

from componentize_py_types import Err
from wit_world.imports import environment, exit
from wit_world.imports.types import AccessMode, Mapping, OpenFlags

# So much is read at a time: the file may be larger than a guest's memory.
WINDOW = 1 << 20


class Run:
    """What the world exports: `wasi:cli/run`."""

    def run(self) -> None:
        path = (environment.get_arguments()[1:] or ["/data/README.md"])[0]
        try:
            count(path)
        except Err as error:
            # What iommap reports is a case of `error-code`, such as `ErrorCode_Enoent`.
            name = type(error.value).__name__.removeprefix("ErrorCode_").lower()
            print(f"cannot read {path}: {name}", file=sys.stderr)
            exit.exit_with_code(1)


def count(path: str) -> None:
    with Mapping.open(path, AccessMode.READ, OpenFlags.SHARED, None) as file:
        size = file.position()

        # From front to back.
        lines, at = 0, 0
        while at < size:
            piece = file.pread(at, min(WINDOW, size - at))
            lines += piece.count(b"\n")
            at += len(piece)
        print(f"{path}: {size} bytes, {lines} lines")

        # From anywhere.
        length = min(1024, size)
        end = file.pread(size - length, length).decode(errors="replace")
        print(f"the last line: {(end.splitlines() or [''])[-1]}")
        sys.stdout.flush()
