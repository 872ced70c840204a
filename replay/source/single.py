"""One record of a source, read by itself: text that a person repaired after it could not be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from replay.source.jsonl import Records, read_record
from replay.source.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.records import Chunk
    from replay.source.dialect import Dialect
    from replay.source.stretch import Stretch


def read_row(text: bytes, header: Sequence[str], dialect: Dialect) -> tuple[int, Chunk | None]:
    """How many records a text holds for a table, and the one row of it; None where it is no row."""
    return _single(Table(dialect, len(header), 1).finish(text), "table", tuple(header))


def read_object(text: bytes) -> tuple[int, Chunk | None]:
    """The same of JSON: one object, be it on several lines."""
    try:
        read_record(text)
    except ValueError:
        return _objects_in(text), None
    line = msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text
    return _single(Records().finish(line), "records", ())


def _single(stretch: Stretch, kind: str, header: tuple[str, ...]) -> tuple[int, Chunk | None]:
    found = len(stretch.rows) + len(stretch.unreadable)
    if found != 1 or not len(stretch.rows):
        return (found if len(stretch.rows) else min(found, 1)), None
    return 1, next(stretch.chunks("table" if kind == "table" else "records", header, 0))


def _objects_in(text: bytes) -> int:
    """How many whole objects a text begins with, one after another: two is one too many."""
    rest, found = text.decode("utf-8", "replace").strip(), 0
    decoder = json.JSONDecoder(parse_int=len, parse_float=len)
    while rest and found < 2:
        try:
            value, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            break
        found += isinstance(value, dict)
        rest = rest[end:].lstrip(", \t\r\n")
    return found
