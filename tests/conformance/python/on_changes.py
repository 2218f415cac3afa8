"""The commands for what has become of a file."""

from command import Words
from wit_world.imports import changes
from wit_world.imports.changes import Differences, FileState, Outcome_Again, Outcome_Changed
from wit_world.imports.types import Mapping

# Those that do not depend on the file system's clock.
DIFFERENCES = {
    "shorter": Differences.SHORTER,
    "longer": Differences.LONGER,
    "replaced": Differences.REPLACED,
    "gone": Differences.GONE,
}


def said(state: FileState) -> str:
    words = [word for word, one in DIFFERENCES.items() if one in state.differences]
    return f"{state.length} {','.join(words) or '-'}"


def changed(mapping: Mapping, words: Words) -> str:
    words.end()
    return said(changes.changed(mapping))


def modified(mapping: Mapping, words: Words) -> str:
    words.end()
    state = changes.changed(mapping)
    return "true" if Differences.MODIFIED in state.differences else "false"


def file_length(mapping: Mapping, words: Words) -> int:
    words.end()
    return changes.file_length(mapping)


def read_up_to(mapping: Mapping, words: Words) -> bytes:
    offset, length = words.number("an offset"), words.number("a length")
    words.end()
    return changes.read_up_to(mapping, offset, length)


def read_strict(mapping: Mapping, words: Words) -> bytes:
    offset, length = words.number("an offset"), words.number("a length")
    words.end()
    return changes.read_strict(mapping, offset, length)


def wait_for_change(mapping: Mapping, known: FileState, time: int | None) -> str:
    while True:
        match changes.wait_for_change(mapping, known, time):
            case Outcome_Again(left):
                time = left
            case Outcome_Changed(state):
                return said(state)
            case _:
                return "same"


COMMANDS = {
    "changed": changed,
    "modified": modified,
    "file-length": file_length,
    "read-up-to": read_up_to,
    "read-strict": read_strict,
}
