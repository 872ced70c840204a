"""The bytes of a file, decompressed: what compression it is by its content, and what is damaged.

Damage is a value that stands at the end of what was readable, never an exception: rows before it count.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import SourceError
from replay.source import bounds, zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_MAGIC_BYTES: Final = 10
_MAGIC: Final = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
PARQUET_MAGIC: Final = b"PAR1"
_NOT_READ: Final = (
    (b"\x04\x22\x4d\x18", "an lz4 file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Obj\x01", "an Avro file"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet (or another Office file)"),
)
_BROKEN: Final = (zlib.error, lzma.LZMAError, OSError, EOFError)  # bz2 says OSError of bad data


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a compressed file; `cut` where content is missing after what was readable."""

    reason: str
    cut: bool


class Readable(Protocol):
    """What compressed bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, none at the end."""

    def seek(self, offset: int, /) -> int:
        """Go to a place; the beginning is the only one asked for."""


class _Member(Protocol):
    """One compressed stream; a file may hold several, one after the other."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _ChecksumError(Exception):
    """All content of a gzip member is there, but its sum is wrong: `content`, and the `rest` after it."""

    def __init__(self, content: bytes, rest: bytes) -> None:
        super().__init__("the checksum does not hold")
        self.content = content
        self.rest = rest


class _Gzip:
    """A gzip member with the face that bz2 and lzma have."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        data = self._inflate.unconsumed_tail + data
        before = self._inflate.copy()
        try:
            return self._inflate.decompress(data, max_length)
        except zlib.error as error:
            if " check" not in str(error):
                raise
            raise _up_to_checksum(before, data) from error


def _up_to_checksum(inflate: zlib._Decompress, data: bytes) -> _ChecksumError:
    """Read byte by byte what zlib withholds when a member's trailer does not fit its content."""
    content = bytearray()
    for place in range(len(data)):
        try:
            content += inflate.decompress(data[place : place + 1])
        except zlib.error:
            return _ChecksumError(bytes(content), data[place + 1 :])
    raise AssertionError("zlib refused these bytes at once, and takes them one by one")


_MEMBERS: Final[dict[str, Callable[[], _Member]]] = {
    "gzip": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=bounds.XZ_MEMORY_BYTES),
}


def compression_of(magic: bytes) -> str | None:
    """The compression that the first bytes of a file show: gzip, bz2, xz, zstd, or None."""
    return next((name for name, pattern in _MAGIC.items() if pattern.match(magic)), None)


class Content:
    """The decompressed bytes of one open file, to be iterated once.

    `compression` is known at once, `damage` when the iteration has ended; `consumed` are the bytes of
    the file on disk that were read so far; `inside`: the name of what is in it, where it has one of its
    own. Raises SourceError for what is not read, and for a bomb.
    """

    inside: str | None = None

    def __init__(self, file: Readable, name: str) -> None:
        self._file = file
        self._name = name
        self._produced = 0
        self._magic = file.read(_MAGIC_BYTES)
        self.consumed = len(self._magic)
        self.damage: Damage | None = None
        self.compression = compression_of(self._magic)
        for magic, what in _NOT_READ:
            if self._magic.startswith(magic):
                raise SourceError(f"{name}: {what}, which is not read: unpack or export it to CSV or JSONL.")

    def __iter__(self) -> Iterator[bytes]:
        if self.compression is None:
            return self._plain()
        return self._zstd() if self.compression == "zstd" else self._unpacked(_MEMBERS[self.compression])

    def _plain(self) -> Iterator[bytes]:
        piece = self._magic
        while piece:
            yield piece
            piece = self._read(bounds.PIECE_BYTES)

    def _zstd(self) -> Iterator[bytes]:
        try:
            for piece in zstd.unpacked(self._rewind, self._read):
                self._count(len(piece))
                yield piece
        except zstd.BrokenZstdError as error:
            self._damaged(str(error), cut=not error.is_garbage)

    def _rewind(self) -> None:
        self._file.seek(0)
        self.consumed = 0

    def _unpacked(self, start: Callable[[], _Member]) -> Iterator[bytes]:
        feed = self._magic
        while feed:
            rest = yield from self._member(start(), feed)
            feed = self._next_member(rest) if self.damage is None else b""

    def _member(self, member: _Member, feed: bytes) -> Generator[bytes, None, bytes]:
        """Give what one member holds; come back with what was read beyond it."""
        try:
            while not member.eof:
                content = member.decompress(feed, bounds.INFLATED_BYTES)
                self._count(len(content))
                yield content
                feed = b""
                if member.needs_input and not member.eof:
                    feed = self._read(bounds.FEED_BYTES)
                    if not feed:
                        self._damaged("the stream is cut off before its end", cut=True)
                        return b""
        except _ChecksumError as error:
            yield error.content
            follows = len(error.rest) + len(self._read(bounds.FEED_BYTES)) > 4  # the length after the sum
            self._damaged("the checksum does not hold: some of its rows may be wrong", cut=follows)
        except _BROKEN as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not the stream
            self._damaged(f"the stream is broken ({error})", cut=True)
        return member.unused_data

    def _next_member(self, rest: bytes) -> bytes:
        """What follows a member: another one, or nothing (zero padding is nothing), or garbage."""
        while len(rest) < _MAGIC_BYTES and (more := self._read(bounds.FEED_BYTES)):
            rest = (rest + more).lstrip(b"\0")
        rest = rest.lstrip(b"\0")
        if rest and compression_of(rest) != self.compression:
            self._damaged("garbage after the end of the stream", cut=False)
            return b""
        return rest

    def _read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.consumed += len(data)
        return data

    def _count(self, size: int) -> None:
        self._produced += size
        if self._produced > max(bounds.RATIO_FROM_BYTES, bounds.RATIO * self.consumed):
            raise SourceError(
                f"{self._name}: refused: it unpacks to more than {bounds.RATIO} times its size. "
                "If that is what it should be, unpack it and give the file inside."
            )

    def _damaged(self, reason: str, *, cut: bool) -> None:
        self.damage = Damage(f"damaged {self.compression} file: {reason}", cut)
