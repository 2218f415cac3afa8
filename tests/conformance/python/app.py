"""Does to mappings what the tests tell it, one command at a time: the driver, in Python.

The commands are listed at the top of `tests/guests/driver/src/lib.rs`.
"""

from collections.abc import Callable
from functools import reduce
from operator import or_

import on_changes
import on_storage
import on_words
from command import Bad, Words, by_wit_name, describe, number, one_of
from componentize_py_types import Err
from wit_world import WitWorld as World
from wit_world.imports import batch, changes, locks, storage, types
from wit_world.imports.locks import LockMode, Outcome
from wit_world.imports.types import AccessMode, Advice, Mapping, OpenFlags, SyncMode

Answer = bytes | int | str | None


class WitWorld(World):
    """What the world exports; componentize-py wants it under this name."""

    def step(self, command: str) -> str:
        try:
            words = Words(command)
            verb = words.text("a command")
            if verb not in COMMANDS:
                raise Bad(f"there is no command {verb!r}")
            return say(COMMANDS[verb](words))
        except Bad as why:
            return f"bad {why}"
        except Err as error:
            value = error.value
            if isinstance(value, storage.SyncFailure):
                return f"err {value.index} {name(value.code)}"
            return f"err {name(value)}"


mappings: dict[str, Mapping] = {}

# What is known of the files of mappings.
states: dict[str, changes.FileState] = {}


def open_(words: Words) -> None:
    handle, path = words.text("a name"), words.text("a path")
    mode = MODES[words.name("a mode", MODES)]
    options, size = OpenFlags(0), None
    while words:
        word = words.text("an option")
        if word.startswith("size="):
            size = number(word.removeprefix("size="))
        elif word != "-":
            named = (OPTIONS[one_of(option, OPTIONS)] for option in word.split(","))
            options = reduce(or_, named, options)
    free(handle)
    mappings[handle] = Mapping.open(path, mode, options, size)


def drop(words: Words) -> None:
    handle = words.text("a name")
    words.end()
    mapping = mappings.pop(known(handle))
    mapping.__exit__(None, None, None)


def on(run: Callable[[Mapping, Words], Answer]) -> Callable[[Words], Answer]:
    """A command whose first word names a mapping."""
    return lambda words: run(mappings[known(words.text("a name"))], words)


def close(mapping: Mapping, words: Words) -> None:
    words.end()
    mapping.close()


def pread(mapping: Mapping, words: Words) -> bytes:
    offset, length = words.number("an offset"), words.number("a length")
    words.end()
    return mapping.pread(offset, length)


def pwrite(mapping: Mapping, words: Words) -> None:
    offset, data = words.number("an offset"), words.data()
    words.end()
    mapping.pwrite(offset, data)


def pread_many(mapping: Mapping, words: Words) -> bytes:
    ranges = [batch.Range(*range) for range in words.ranges()]
    words.end()
    return batch.pread_many(mapping, ranges)


def pwrite_many(mapping: Mapping, words: Words) -> None:
    ranges, data = [batch.Range(*range) for range in words.ranges()], words.data()
    words.end()
    batch.pwrite_many(mapping, ranges, data)


def sync(mapping: Mapping, words: Words) -> None:
    mode = SYNC_MODES[words.name("a mode", SYNC_MODES)]
    words.end()
    mapping.sync(mode)


def sync_range(mapping: Mapping, words: Words) -> None:
    offset, length = words.number("an offset"), words.number("a length")
    mode = SYNC_MODES[words.name("a mode", SYNC_MODES)]
    words.end()
    mapping.sync_range(offset, length, mode)


def truncate(mapping: Mapping, words: Words) -> None:
    size = words.number("a size")
    words.end()
    mapping.truncate(size)


def advise(mapping: Mapping, words: Words) -> None:
    offset, length = words.number("an offset"), words.number("a length")
    hint = HINTS[words.name("a hint", HINTS)]
    words.end()
    mapping.advise(offset, length, hint)


def position(mapping: Mapping, words: Words) -> int:
    words.end()
    return mapping.position()


def lock(mapping: Mapping, words: Words) -> str:
    offset, length = words.number("an offset"), words.number("a length")
    mode = LOCK_MODES[words.name("a mode", LOCK_MODES)]
    wait = words.time()
    words.end()
    while (outcome := locks.lock(mapping, offset, length, mode, wait)) == Outcome.AGAIN:
        pass
    return outcome.name.lower()


def unlock(mapping: Mapping, words: Words) -> None:
    offset, length = words.number("an offset"), words.number("a length")
    words.end()
    locks.unlock(mapping, offset, length)


def would_lock(mapping: Mapping, words: Words) -> str:
    offset, length = words.number("an offset"), words.number("a length")
    mode = LOCK_MODES[words.name("a mode", LOCK_MODES)]
    words.end()
    return "true" if locks.would_lock(mapping, offset, length, mode) else "false"


def remap(mapping: Mapping, words: Words) -> None:
    handle = words.text("a name")
    words.end()
    free(handle)
    mappings[handle] = changes.remap(mapping)


def know(words: Words) -> None:
    handle = known(words.text("a name"))
    words.end()
    states[handle] = changes.changed(mappings[handle])


def wait_for_change(words: Words) -> str:
    handle, wait = known(words.text("a name")), words.time()
    words.end()
    if handle not in states:
        raise Bad(f"nothing is known of {handle!r}")
    return on_changes.wait_for_change(mappings[handle], states[handle], wait)


def sync_many(words: Words) -> None:
    every = []
    while words:
        every.append(mappings[known(words.text("a name"))])
    storage.sync_many(every)


COMMANDS: dict[str, Callable[[Words], Answer]] = {
    "open": open_,
    "drop": drop,
    "know": know,
    "wait-for-change": wait_for_change,
    "sync-many": sync_many,
    "close": on(close),
    "pread": on(pread),
    "pwrite": on(pwrite),
    "pread-many": on(pread_many),
    "pwrite-many": on(pwrite_many),
    "sync": on(sync),
    "sync-range": on(sync_range),
    "truncate": on(truncate),
    "advise": on(advise),
    "position": on(position),
    "lock": on(lock),
    "unlock": on(unlock),
    "would-lock": on(would_lock),
    "remap": on(remap),
}
for commands in on_words.COMMANDS, on_changes.COMMANDS, on_storage.COMMANDS:
    COMMANDS |= {verb: on(run) for verb, run in commands.items()}


MODES = by_wit_name(AccessMode)
OPTIONS = by_wit_name(OpenFlags)
SYNC_MODES = by_wit_name(SyncMode)
HINTS = by_wit_name(Advice)
LOCK_MODES = by_wit_name(LockMode)


def free(handle: str) -> None:
    if handle in mappings:
        raise Bad("this name is in use")


def known(handle: str) -> str:
    if handle not in mappings:
        raise Bad(f"there is no mapping {handle!r}")
    return handle


ERRORS: dict[type, str] = {
    types.ErrorCode_Badarg: "badarg",
    types.ErrorCode_Enomem: "enomem",
    types.ErrorCode_Enoent: "enoent",
    types.ErrorCode_Eacces: "eacces",
    types.ErrorCode_Closed: "closed",
    types.ErrorCode_OutOfBounds: "out-of-bounds",
    types.ErrorCode_Sigbus: "sigbus",
    types.ErrorCode_Eexist: "eexist",
    types.ErrorCode_Enotreg: "enotreg",
    types.ErrorCode_Enospc: "enospc",
    types.ErrorCode_Efbig: "efbig",
    types.ErrorCode_Emfile: "emfile",
    types.ErrorCode_LimitExceeded: "limit-exceeded",
    types.ErrorCode_Enotsup: "enotsup",
    types.ErrorCode_Eio: "eio",
    types.ErrorCode_Other: "other",
}


def name(code: types.ErrorCode) -> str:
    """The name that an error has in `iommap.wit`, and the host's words if it has any."""
    words = getattr(code, "value", None)
    return ERRORS[type(code)] if words is None else f"{ERRORS[type(code)]} {words}"


def say(answer: Answer) -> str:
    match answer:
        case None:
            return "ok"
        case bytes():
            return f"ok {describe(answer)}"
        case size:
            return f"ok {size}"
