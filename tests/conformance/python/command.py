"""The language of the commands, without what they do."""

from collections import deque
from collections.abc import Container
import re

ESCAPE = re.compile(rb'\\(?:([0n"\\])|x([0-9a-fA-F]{2}))')
ESCAPES = {b"0": b"\0", b"n": b"\n", b'"': b'"', b"\\": b"\\"}
NUMBER = re.compile(r"[0-9]+|0x[0-9a-fA-F]+", re.ASCII)


class Bad(Exception):
    """A command makes no sense."""


class Words:
    """The rest of a command."""

    def __init__(self, line: str) -> None:
        """The words of a line, as bytes, with quotes and escapes resolved."""
        self._words: deque[bytes] = deque()
        text = line.encode()
        word: bytearray | None = None  # between words
        quoted = False
        at = 0
        while at < len(text):
            piece = text[at : at + 1]
            at += 1
            if piece == b" " and not quoted:
                if word is not None:
                    self._words.append(bytes(word))
                word = None
                continue
            if word is None:
                word = bytearray()
            if piece == b'"':
                quoted = not quoted
                continue
            if piece == b"\\" and quoted:
                escape = ESCAPE.match(text, at - 1)
                if escape is None:
                    raise Bad(r"an escape is none of \0 \n \" \\ \xNN")
                letter, digits = escape.groups()
                piece = ESCAPES[letter] if letter else bytes.fromhex(digits.decode())
                at = escape.end()
            word += piece
        if quoted:
            raise Bad("a quote is not closed")
        if word is not None:
            self._words.append(bytes(word))

    def __bool__(self) -> bool:
        return bool(self._words)

    def word(self, what: str) -> bytes:
        if not self._words:
            raise Bad(f"{what} is missing")
        return self._words.popleft()

    def text(self, what: str) -> str:
        word = self.word(what)
        try:
            return word.decode()
        except UnicodeDecodeError:
            raise Bad(f"{word} is not UTF-8") from None

    def number(self, what: str) -> int:
        return number(self.text(what))

    def time(self) -> int | None:
        """In nanoseconds, of a number of milliseconds or `-`, which is for as long as it takes."""
        time = self.text("a time")
        return None if time == "-" else number(time) * 1_000_000

    def name(self, what: str, names: Container[str]) -> str:
        return one_of(self.text(what), names)

    def ranges(self) -> list[tuple[int, int]]:
        """`OFFSET+LENGTH,OFFSET+LENGTH..`, or `-`."""
        text = self.text("a list of ranges")
        if text == "-":
            return []
        ranges = []
        for piece in text.split(","):
            offset, plus, length = piece.partition("+")
            if not plus:
                raise Bad(f"{piece!r} is not OFFSET+LENGTH")
            ranges.append((number(offset), number(length)))
        return ranges

    def data(self) -> bytes:
        """`hex:..`, `fill:BYTE:LENGTH` or `text:..`."""
        word = self.word("data")
        match word.split(b":"):
            case [b"text", *_]:
                return word.removeprefix(b"text:")
            case [b"hex", digits] if not re.search(rb"\s", digits):
                try:
                    return bytes.fromhex(digits.decode())
                except ValueError:
                    pass
            case [b"fill", byte, length]:
                value = number(byte.decode(errors="replace"))
                if value <= 0xFF:
                    return bytes([value]) * number(length.decode(errors="replace"))
        raise Bad(f"{word} is not hex:.., fill:BYTE:LENGTH or text:..")

    def end(self) -> None:
        """That nothing is left over."""
        if self._words:
            raise Bad(f"{self._words[0]} is too much")


def number(text: str) -> int:
    """A number of 64 bits, decimal or hexadecimal."""
    if NUMBER.fullmatch(text):
        value = int(text, 16 if text.startswith("0x") else 10)
        if value < 1 << 64:
            return value
    raise Bad(f"{text!r} is not a number of 64 bits")


def one_of(text: str, names: Container[str]) -> str:
    if text not in names:
        raise Bad(f"{text!r} is none of {names}")
    return text


def by_wit_name(members) -> dict:
    """The members of an enum by their names in `iommap.wit`."""
    return {member.name.lower().replace("_", "-"): member for member in members}


def describe(data: bytes) -> str:
    """Bytes in an answer: themselves if they are few."""
    if len(data) > 64:
        return f"len={len(data)} fnv={fnv(data):016x}"
    return f"hex:{data.hex()}"


def fnv(data: bytes) -> int:
    """FNV-1a of 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
