"""A zstd stream, unpacked by Arrow: frames one after the other, at flat memory.

Arrow withholds what the call that fails has made. So what stands before a damage is read a second time,
byte by byte where it breaks: then no byte of it is lost.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STEP_BYTES: Final = 256 * bounds.KIB


class BrokenZstdError(Exception):
    """Why a stream cannot be read on; `is_garbage` where it is whole, and something else follows it."""

    def __init__(self, reason: str, *, is_garbage: bool) -> None:
        super().__init__(reason)
        self.is_garbage = is_garbage


class _Feed(io.RawIOBase):
    """The packed bytes as Arrow asks for them; from `careful` on one at a time."""

    def __init__(self, read: Callable[[int], bytes], careful: int | None = None) -> None:
        self._read = read
        self._careful = careful
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        careful = self._careful is not None and self.taken >= self._careful
        data = self._read(1 if careful else min(size, bounds.FEED_BYTES))
        self.taken += len(data)
        return data


def unpacked(rewind: Callable[[], None], read: Callable[[int], bytes]) -> Iterator[bytes]:
    """What a stream holds, piece by piece; `read` gives its next bytes, after `rewind` from its first on.

    Raises BrokenZstdError after everything that could be read.
    """
    produced = 0
    rewind()
    feed = _Feed(read)
    try:
        for piece in _pieces(feed, _STEP_BYTES):
            produced += len(piece)
            yield piece
        return
    except OSError as error:
        if error.errno is not None:  # the disk, not the stream
            raise
    rewind()
    feed = _Feed(read, careful=feed.taken - bounds.FEED_BYTES)
    try:
        yield from _after(produced, feed)
    except OSError as error:
        if error.errno is not None:
            raise
        raise _in_words(str(error)) from error


def _pieces(feed: _Feed, size: int) -> Iterator[bytes]:
    import pyarrow as pa  # noqa: PLC0415 - for zstd files only

    stream = pa.CompressedInputStream(pa.PythonFile(feed, mode="r"), "zstd")
    while piece := stream.read(size):
        yield piece


def _after(produced: int, feed: _Feed) -> Iterator[bytes]:
    """What follows the first `produced` bytes, one by one."""
    import pyarrow as pa  # noqa: PLC0415 - for zstd files only

    stream = pa.CompressedInputStream(pa.PythonFile(feed, mode="r"), "zstd")
    while produced:
        produced -= len(stream.read(min(produced, _STEP_BYTES)))
    while byte := stream.read(1):
        yield byte


def _in_words(message: str) -> BrokenZstdError:
    """Arrow's words, translated."""
    if "Unknown frame descriptor" in message:
        return BrokenZstdError("garbage after the end of the stream", is_garbage=True)
    if "Truncated" in message:
        return BrokenZstdError("the stream is cut off before its end", is_garbage=False)
    if "checksum" in message:
        return BrokenZstdError("the checksum does not hold: some of its rows may be wrong", is_garbage=False)
    return BrokenZstdError(f"the stream is broken ({message.rpartition(': ')[2]})", is_garbage=False)
