"""Where rows come from: finding files, opening, decompressing, decoding, and reading them into chunks."""

from __future__ import annotations

from replay.source.doors import bytes_of_parquet, fingerprint_of, open_source
from replay.source.finding import Source, find, spool, store
from replay.source.fingerprint import Fingerprint
from replay.source.reader import Reader

__all__ = [
    "Fingerprint",
    "Reader",
    "Source",
    "bytes_of_parquet",
    "find",
    "fingerprint_of",
    "open_source",
    "spool",
    "store",
]
