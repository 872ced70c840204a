"""The content of a source as hashes of its decompressed bytes at growing positions.

Of Parquet the text of its cells stands for the bytes: the same rows packed otherwise are the same content.

A file that grew shares its beginning with what it was; one that changed in the middle does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST_MARK: Final = 4096
DIGEST_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Fingerprint:
    r"""What the decompressed content of a source is known by.

    `length` in bytes; `digest` of all of them (blake2b of 16 bytes, hex); `marks`: the digest of the
    first N bytes, for N = 4096, 8192, 16384… and each position that was asked for, as far as they go.
    `whole_lines`: length and digest up to the last line end. `ended`: the digests with a `\n`, a
    `\r` and a `\r\n` behind the last byte: what a content whose last line is open looks like once it grew.
    """

    length: int
    digest: str
    marks: dict[int, str]
    whole_lines: tuple[int, str]
    ended: tuple[str, ...]


class Fingerprinting:
    """A fingerprint in the making: hand it every byte in order."""

    def __init__(self, marks_at: Iterable[int] = ()) -> None:
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self._length = 0
        self._marks: dict[int, str] = {}
        self._asked = sorted({position for position in marks_at if position >= 0}, reverse=True)
        self._doubling = FIRST_MARK
        self._line_end = (0, self._hash.copy())

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces, each hashed before it is handed on."""
        for piece in pieces:
            self.update(piece)
            yield piece

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        rest = memoryview(data)
        last = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if last:
            self._advance(rest[:last])
            self._line_end = (self._length, self._hash.copy())
        self._advance(rest[last:])

    def _advance(self, rest: memoryview) -> None:
        """Take in bytes, stopping at each mark among them."""
        while self._next_mark() <= self._length + len(rest):
            ahead = self._next_mark() - self._length
            self._take(rest[:ahead])
            rest = rest[ahead:]
            self._mark()
        self._take(rest)

    def finish(self) -> Fingerprint:
        """The fingerprint of everything taken in so far."""
        return Fingerprint(
            self._length,
            self._hash.hexdigest(),
            dict(self._marks),
            (self._line_end[0], self._line_end[1].hexdigest()),
            tuple(self._digest_with(end) for end in (b"\n", b"\r", b"\r\n")),
        )

    def _digest_with(self, data: bytes) -> str:
        more = self._hash.copy()
        more.update(data)
        return more.hexdigest()

    def _take(self, data: memoryview) -> None:
        self._hash.update(data)
        self._length += len(data)

    def _next_mark(self) -> int:
        return min(self._doubling, self._asked[-1]) if self._asked else self._doubling

    def _mark(self) -> None:
        self._marks[self._length] = self._hash.copy().hexdigest()
        if self._asked and self._asked[-1] == self._length:
            self._asked.pop()
        if self._doubling == self._length:
            self._doubling *= 2
