"""Opening a source and reading it to its end, chunk by chunk, at flat memory."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO, Literal, Self

from replay.errors import SourceError
from replay.settings import TABLES
from replay.source import bounds
from replay.source.opening import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.records import Chunk
    from replay.source.dialect import Format
    from replay.source.finding import Source
    from replay.source.fingerprint import Fingerprint
    from replay.source.stretch import Stretch


def open_file(source: Source) -> BinaryIO:
    """Open a source's file. Raises SourceError where it has none yet."""
    if source.path is None:
        raise SourceError(f"{source.name}: is copied to a file first, then read.")
    return source.path.open("rb", buffering=bounds.PIECE_BYTES)


class Reader(ABC):
    """One open source, to be iterated once: it gives the chunks of its rows in order.

    `format`: csv, tsv, jsonl, json or parquet; `encoding`: "" of Parquet; `compression`: gzip, bz2, xz,
    zstd, zip or None; `delimiter`, `quotechar` ("" is no quoting): None for records; `header`: empty for
    records; `size`: bytes on disk; `whole_bytes`: of JSON documents, the bytes of content up to the end of
    the last record, where they can be told. Iterating raises SourceError where the file system fails or a
    compressed file unpacks beyond all measure.
    """

    format: Format
    encoding: str = ""
    compression: str | None = None
    header: tuple[str, ...] = ()
    whole_bytes: int | None = None
    delimiter: str | None = None
    quotechar: str | None = None

    def __init__(self, source: Source, file: BinaryIO) -> None:
        self.source = source
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._fingerprint: Fingerprint | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """What the whole content is known by; only after the iteration has ended."""
        if self._fingerprint is None:
            raise RuntimeError(f"{self.source.name}: read to the end first, its fingerprint is not known yet")
        return self._fingerprint

    @property
    @abstractmethod
    def is_cut(self) -> bool:
        """Whether the content breaks off: what comes last is not whole. Known after the iteration."""

    def __iter__(self) -> Iterator[Chunk]:
        kind: Literal["table", "records"] = "table" if self.format in TABLES else "records"
        with reading(self.source.name):
            for stretch in self._stretches():
                yield from stretch.chunks(kind, self.header, self._position())
            self._fingerprint = self._finish()
        self.close()

    @abstractmethod
    def _stretches(self) -> Iterator[Stretch]:
        """The rows, a stretch at a time."""

    @abstractmethod
    def _position(self) -> int:
        """The bytes of the file that were read so far."""

    @abstractmethod
    def _finish(self) -> Fingerprint:
        """The fingerprint, once everything is read."""

    def close(self) -> None:
        """Close the file; iterating to the end does so too."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
