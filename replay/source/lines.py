r"""Blocks of whole lines out of a stream of UTF-8 bytes.

Lines end with \n, \r\n or a lone \r, and nothing else: bytes.splitlines agrees, str.splitlines does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive bytes of a source.

    `whole`: lines with their ends. `tail`: the last line, where the stream ends without a line end.
    `overlong`: the beginning of one line that is past the bound.
    """

    kind: Literal["whole", "tail", "overlong"]
    data: bytes


def count_lines(data: bytes) -> int:
    """How many lines end in these bytes."""
    returns = data.count(b"\r")
    return data.count(b"\n") + (returns - data.count(b"\r\n") if returns else 0)


def blocks(
    pieces: Iterable[bytes], size: int = bounds.BLOCK_BYTES, longest: int = bounds.LINE_BYTES
) -> Iterator[Block]:
    """Cut a stream into blocks of at least `size` bytes, at line ends.

    No line is longer than `longest`, which is at least twice the size.
    """
    pending = bytearray()
    searched, skipping = 0, False
    for piece in _at_most(size, pieces):
        pending += piece
        if skipping:
            skipping = not _drop_first_line(pending)
        if not skipping and _first_line_bytes(pending, longest) > longest:
            yield Block("overlong", bytes(pending[: bounds.RAW_BYTES]))
            skipping = not _drop_first_line(pending)
            searched = 0
        if len(pending) >= size and not skipping:
            end = _last_line_end(pending, searched)
            searched = 0 if end else len(pending) - 1
            if end:
                with memoryview(pending) as view:
                    data = bytes(view[:end])
                yield Block("whole", data)
                del pending[:end]
    if pending and not skipping:
        yield from _ending(bytes(pending))


def _ending(data: bytes) -> Iterator[Block]:
    end = len(data) if data.endswith(b"\r") else _last_line_end(data)
    if end:
        yield Block("whole", data[:end])
    if end < len(data):
        yield Block("tail", data[end:])


def _at_most(size: int, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        if len(piece) <= size:
            yield piece
        else:
            yield from (piece[at : at + size] for at in range(0, len(piece), size))


def _last_line_end(data: bytes | bytearray, start: int = 0) -> int:
    r"""Where the last line that surely ended ends; a \r at the very end may be half of a \r\n."""
    return max(data.rfind(b"\n", start), data.rfind(b"\r", start, len(data) - 1)) + 1


def _first_line_end(data: bytes | bytearray) -> int:
    """Where the first line ends, its line end included; 0 where that is not known yet."""
    feed, back = data.find(b"\n"), data.find(b"\r", 0, len(data) - 1)
    if back < 0 or 0 <= feed < back:
        return feed + 1
    return back + (2 if data[back + 1] == 0x0A else 1)


def _first_line_bytes(data: bytearray, longest: int) -> int:
    """The length of the first line, as far as it matters."""
    return 0 if len(data) <= longest else _first_line_end(data) or len(data)


def _drop_first_line(data: bytearray) -> bool:
    """Take the first line away; whether its end was found."""
    end = _first_line_end(data)
    kept = data.endswith(b"\r")
    del data[: end or len(data) - kept]
    return end > 0
