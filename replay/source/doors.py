"""The doors of this room: open a source, or look at its bytes alone."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from replay.source import bounds
from replay.source.content import content_of, is_parquet
from replay.source.fingerprint import Fingerprint, Fingerprinting
from replay.source.opening import reading
from replay.source.reader import Reader, open_file
from replay.source.text import TextReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.settings import ReadSettings
    from replay.source.finding import Source


def open_source(source: Source, settings: ReadSettings, marks_at: Iterable[int] = ()) -> Reader:
    """Open a source and find out what it is written in.

    `marks_at`: byte positions of the content at which the fingerprint gets a mark of its own.
    Raises SourceError where it cannot be read or is refused, UsageError where the settings do not fit.
    """
    with ExitStack() as undo, reading(source.name):
        file = undo.enter_context(open_file(source))
        if is_parquet(file):
            from replay.source.parquet import ParquetReader  # noqa: PLC0415 - for Parquet files only

            reader: Reader = ParquetReader(source, file, settings, marks_at)
        else:
            reader = TextReader(source, file, settings, marks_at)
        undo.pop_all()
    return reader


def fingerprint_of(source: Source, settings: ReadSettings, marks_at: Iterable[int] = ()) -> Fingerprint:
    """What the whole content of a source is known by, without making chunks of it. Raises SourceError."""
    hashing = Fingerprinting(marks_at)
    with reading(source.name), open_file(source) as file:
        if is_parquet(file):
            from replay.source.parquet import ParquetReader  # noqa: PLC0415 - for Parquet files only

            return ParquetReader(source, file, settings, marks_at).read_fingerprint()
        for piece in content_of(file, source.name, settings):
            hashing.update(piece)
    return hashing.finish()


def bytes_of_parquet(source: Source) -> tuple[int, str] | None:
    """Length and digest of a Parquet file's own bytes, by which older versions know it; None for other files.

    Raises SourceError.
    """
    hashing = Fingerprinting()
    with reading(source.name), open_file(source) as file:
        if not is_parquet(file):
            return None
        while piece := file.read(bounds.PIECE_BYTES):
            hashing.update(piece)
    found = hashing.finish()
    return found.length, found.digest
