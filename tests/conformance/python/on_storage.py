"""The commands for the storage behind files."""

from collections.abc import Callable

from command import Words
from wit_world.imports import storage
from wit_world.imports.types import Mapping


def on_range(run: Callable[[Mapping, int, int], None]) -> Callable[[Mapping, Words], None]:
    def command(mapping: Mapping, words: Words) -> None:
        offset, length = words.number("an offset"), words.number("a length")
        words.end()
        run(mapping, offset, length)

    return command


def sync_entry(mapping: Mapping, words: Words) -> None:
    words.end()
    storage.sync_entry(mapping)


COMMANDS = {
    "punch-hole": on_range(storage.punch_hole),
    "zero-range": on_range(storage.zero_range),
    "allocate": on_range(storage.allocate),
    "sync-entry": sync_entry,
}
