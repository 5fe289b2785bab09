"""Frames that no good client sends: random, mutated, broken, and far too many."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.e2e.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, head

_GOLDEN: Final = json.loads(
    (Path(__file__).parents[1] / "golden" / "frames.json").read_text(encoding="utf-8")
)
COMMANDS: Final[Sequence[bytes]] = [text.encode() for text in _GOLDEN["commands"].values()]
KEYS: Final = ("type", "id", "jobId", "tenantId", "after", "job", "channel", "data", "token", "x")
CRUMBS: Final = (
    *(b'"', b"{", b"}", b"[" * 300, b"null", b"\\ud800", b"1e999", b":", b",", b"\\u0000"),
    *(b"\xff", b"\xc5", b"\xed\xa0\x80", b"\0", b"9" * 400, b'{"a":' * 100),
)
BROKEN_TEXTS: Final = (
    b"\xff\xfe",
    b'{"type":"\xff"}',
    b'"\xc5',
    b'"\xed\xa0\x80"',
    b"\xf4\x90\x80",
)


class Frames:
    """An endless supply from one seed; each burst is a few frames, and how many they are."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._kinds: dict[Callable[[], Iterator[bytes]], int] = {
            # What breaks the protocol ends the connection: most of it must be said by the book.
            self._mutated: 30,
            self._altered: 25,
            self._random_text: 8,
            self._in_pieces: 8,
            self._deep: 5,
            self._control: 6,
            self._binary: 3,
            self._flood: 3,
            self._not_utf8: 2,
            self._wrong_frame: 4,
            self._wrong_order: 2,
            self._giant: 2,
            self._noise: 2,
        }

    def burst(self) -> list[bytes]:
        """The next few."""
        [kind] = self._random.choices(list(self._kinds), list(self._kinds.values()))
        return list(kind())

    def chance(self, of: float) -> bool:
        """True so often."""
        return self._random.random() < of

    def _some(self, most: int) -> int:
        return self._random.randrange(most + 1)

    def _mutant(self) -> bytes:
        text = bytearray(self._random.choice(COMMANDS))
        for _ in range(1 + self._some(3)):
            at = self._some(len(text))
            crumb = self._random.choice(CRUMBS) if self.chance(0.5) else self._bytes(6)
            text[at : at + self._some(6)] = crumb
        return bytes(text)

    def _bytes(self, most: int) -> bytes:
        return self._random.randbytes(self._some(most))

    def _mutated(self) -> Iterator[bytes]:
        # What is no UTF-8 any more would only break the connection again.
        yield frame(TEXT, self._mutant().decode("utf-8", "replace").encode())

    def _altered(self) -> Iterator[bytes]:
        command = json.loads(self._random.choice([c for c in COMMANDS if b"1e200000" not in c]))
        for key in self._random.sample(KEYS, 1 + self._some(2)):
            value: object = self._random.choice(
                (None, True, -1, 2**53, 2**200, 1.5, "", "x" * 300, [], {}, {"a": [1]}, "subscribe")
            )
            command[key] = value
        yield frame(TEXT, json.dumps(command).encode())

    def _random_text(self) -> Iterator[bytes]:
        text = "".join(chr(self._random.randrange(1, 0xD800)) for _ in range(self._some(200)))
        yield frame(TEXT, text.encode())

    def _in_pieces(self) -> Iterator[bytes]:
        text = self._random.choice(COMMANDS)
        cuts = sorted(self._some(len(text)) for _ in range(1 + self._some(5)))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        for place, part in enumerate(parts):
            if self.chance(0.2):
                yield frame(PING, b"between")
            opcode = TEXT if place == 0 else CONTINUATION
            yield frame(opcode, part, fin=place == len(parts) - 1)

    def _deep(self) -> Iterator[bytes]:
        opening = self._random.choice((b"[", b'{"a":', b'{"type":'))
        yield frame(TEXT, (opening * (1 + self._some(20_000)))[:60_000])

    def _control(self) -> Iterator[bytes]:
        if self.chance(0.05):
            yield frame(CLOSE, struct.pack("!H", self._some(5000)) + self._bytes(20))
        else:
            yield frame(self._random.choice((PING, 0xA)), self._bytes(125))

    def _binary(self) -> Iterator[bytes]:
        yield frame(BINARY, self._bytes(1000))

    def _flood(self) -> Iterator[bytes]:
        one = frame(PING, b"") if self.chance(0.5) else frame(TEXT, b'{"type":"ping"}')
        for _ in range(200):
            yield one

    def _not_utf8(self) -> Iterator[bytes]:
        yield frame(TEXT, self._random.choice(BROKEN_TEXTS))

    def _wrong_frame(self) -> Iterator[bytes]:
        opcode = self._random.choice((0x3, 0x7, 0xB, 0xF, TEXT, PING))
        wrong = self._random.choice(("mask", "bits", "length"))
        yield frame(
            opcode,
            b"x" * (126 if wrong == "length" else 5),
            masked=wrong != "mask",
            bits=1 + self._some(6) if wrong == "bits" else 0,
        )

    def _wrong_order(self) -> Iterator[bytes]:
        if self.chance(0.5):
            yield frame(CONTINUATION, b"of nothing")
        else:
            yield frame(TEXT, b"{", fin=False)
            yield frame(TEXT, b"}")

    def _giant(self) -> Iterator[bytes]:
        if self.chance(0.5):
            yield head(TEXT, self._random.choice((1 << 20, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)))
        else:
            yield frame(TEXT, b" " * 70_000)

    def _noise(self) -> Iterator[bytes]:
        yield self._bytes(300)
