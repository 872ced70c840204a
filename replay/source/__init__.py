"""Where rows come from: finding files, opening, decompressing, decoding, and reading them into chunks."""

from __future__ import annotations

from replay.source.dialect import Dialect
from replay.source.doors import bytes_of_parquet, fingerprint_of, open_source
from replay.source.finding import Source, find, spool, store
from replay.source.fingerprint import Fingerprint
from replay.source.reader import Reader
from replay.source.single import read_object, read_row

__all__ = [
    "Dialect",
    "Fingerprint",
    "Reader",
    "Source",
    "bytes_of_parquet",
    "find",
    "fingerprint_of",
    "open_source",
    "read_object",
    "read_row",
    "spool",
    "store",
]
