"""The commands for words."""

from command import Bad, Words, by_wit_name
from wit_world.imports import atomics
from wit_world.imports.atomics import Change, Outcome_Again, Outcome_NotEqual, Outcome_Woken
from wit_world.imports.types import Mapping

BITS = {"32": 32, "64": 64}
CHANGES = by_wit_name(Change)


def place(words: Words) -> tuple[int, int]:
    """How many bits the word has, and where it is."""
    bits = BITS[words.name("bits", BITS)]
    return bits, words.number("an offset")


def value(words: Words, bits: int) -> int:
    number = words.number("a value")
    if number >> bits:
        raise Bad(f"{number} has more than {bits} bits")
    return number


def load(mapping: Mapping, words: Words) -> int:
    bits, offset = place(words)
    words.end()
    return (atomics.load_u32 if bits == 32 else atomics.load_u64)(mapping, offset)


def store(mapping: Mapping, words: Words) -> None:
    bits, offset = place(words)
    new = value(words, bits)
    words.end()
    (atomics.store_u32 if bits == 32 else atomics.store_u64)(mapping, offset, new)


def change(mapping: Mapping, words: Words) -> int:
    bits, offset = place(words)
    how = CHANGES[words.name("how", CHANGES)]
    by = value(words, bits)
    words.end()
    return (atomics.change_u32 if bits == 32 else atomics.change_u64)(mapping, offset, how, by)


def compare_exchange(mapping: Mapping, words: Words) -> int:
    bits, offset = place(words)
    expected, new = value(words, bits), value(words, bits)
    words.end()
    call = atomics.compare_exchange_u32 if bits == 32 else atomics.compare_exchange_u64
    return call(mapping, offset, expected, new)


def wait(mapping: Mapping, words: Words) -> str:
    offset, expected = words.number("an offset"), value(words, 32)
    time = words.time()
    words.end()
    while True:
        match atomics.wait(mapping, offset, expected, time):
            case Outcome_Again(left):
                time = left
            case Outcome_Woken():
                return "woken"
            case Outcome_NotEqual():
                return "not-equal"
            case _:
                return "timed-out"


def notify(mapping: Mapping, words: Words) -> int:
    offset, count = words.number("an offset"), value(words, 32)
    words.end()
    return atomics.notify(mapping, offset, count)


COMMANDS = {
    "load": load,
    "store": store,
    "change": change,
    "compare-exchange": compare_exchange,
    "wait": wait,
    "notify": notify,
}
