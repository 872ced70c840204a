"""What is in an open file, by its first bytes: a plain or compressed stream, or an archive of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from replay.source.compression import PARQUET_MAGIC, ZIP_MAGIC, Content
from replay.source.zipped import Archive

if TYPE_CHECKING:
    from replay.settings import ReadSettings


def content_of(file: BinaryIO, name: str, settings: ReadSettings) -> Content | Archive:
    """The content of an open file. Raises SourceError for what is not read."""
    magic = _magic(file)
    return Archive(file, name, settings) if magic in ZIP_MAGIC else Content(file, name)


def is_parquet(file: BinaryIO) -> bool:
    """Whether a file begins as Parquet does."""
    return _magic(file) == PARQUET_MAGIC


def _magic(file: BinaryIO) -> bytes:
    file.seek(0)
    magic = file.read(4)
    file.seek(0)
    return magic
