"""What a source is written in: its format, and the delimiter, quoting and header of a table."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec

from replay.errors import SourceError, UsageError
from replay.source.broken import is_cut_short
from replay.source.exact import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replay.settings import ReadSettings

Format = Literal["csv", "tsv", "jsonl", "json", "parquet"]

_DELIMITERS: Final = (",", ";", "\t", "|")
_PACKED: Final = re.compile(r"\.(gz|bz2|xz|zst|zip)$", re.IGNORECASE)
_ENDINGS: Final[dict[str, Format]] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_ARRAY: Final = re.compile(rb"\[\s*(?:[\[\]{\"0-9-]|$|(?:true|false|null)\b)")  # `[user_id],…` is a header
_OBJECT: Final = re.compile(rb"\{\s*(?:[\"}]|$)")  # `{event_name},…` too
_ARRAY_MEMBER: Final = re.compile(rb'"([^"\\]{1,40})"\s*:\s*\[\s*\{')
_SAMPLE_RECORDS: Final = 50
_SAMPLE_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the cells of a table are told apart; no `quotechar` ("") is no quoting."""

    delimiter: str
    quotechar: str

    def reader(self, texts: Iterable[str]) -> Any:  # the csv module has no public name for its reader
        """A strict csv.reader over lines with their ends."""
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quotechar else csv.QUOTE_NONE
        return csv.reader(
            texts, delimiter=self.delimiter, quotechar=self.quotechar or None, quoting=quoting, strict=True
        )


@dataclass(frozen=True, slots=True)
class Header:
    """The names of a table's columns, and how many lines come before its first record."""

    names: tuple[str, ...]
    lines: int


def format_of(name: str, head: bytes, settings: ReadSettings) -> Format:
    """The format of a source: what the user wants, else by the end of its name, else by its first bytes.

    Raises SourceError for one JSON object over several lines, and for what is no Parquet file.
    """
    if settings.records is not None:
        return "json"
    if settings.format == "parquet":
        raise SourceError(f"{name}: not a Parquet file: it does not begin as one. Leave --format out.")
    if settings.format is not None:
        return cast("Format", settings.format)
    path = _PACKED.sub("", name).lower()
    by_name = next((form for ending, form in _ENDINGS.items() if path.endswith(ending)), None)
    if by_name is not None:
        return by_name
    text = head.lstrip()
    if settings.columns is None and _ARRAY.match(text):
        return "json"
    if settings.columns is None and _OBJECT.match(text):
        if _is_document(text):
            raise SourceError(
                f"{name}: one JSON object over several lines. If its records are in an array inside it, name "
                f"that with --records PATH{_arrays_in(text)}; else write one object a line."
            )
        return "jsonl"
    return "csv"


def _arrays_in(text: bytes) -> str:
    """Members that hold an array of objects, to be named in a message."""
    names = dict.fromkeys(match[1].decode("utf-8", "replace") for match in _ARRAY_MEMBER.finditer(text))
    return f" ({' or '.join(list(names)[:3])}, perhaps)" if names else ""


def _is_document(text: bytes) -> bool:
    """Whether the first line is the beginning of a JSON object that goes on in the lines below."""
    first, _, below = text.partition(b"\n")
    try:
        msgspec.json.decode(first)
    except (ValueError, RecursionError):
        below = below.lstrip()
        return below != b"" and not below.startswith(b"{") and is_cut_short(first)
    return False


def dialect_of(form: Format, lines: Sequence[bytes], settings: ReadSettings) -> Dialect:
    """The dialect of a table that begins with these lines, as far as the settings leave it open."""
    quotechar = '"' if settings.quotechar is None else settings.quotechar
    if settings.delimiter is not None:
        if settings.delimiter == quotechar:
            raise UsageError(f"--delimiter {settings.delimiter!r}: the same as the quote character.")
        return Dialect(settings.delimiter, quotechar)
    candidates = [Dialect(delimiter, quotechar) for delimiter in _DELIMITERS if delimiter != quotechar]
    samples = {dialect: _widths(lines, dialect) for dialect in candidates}
    if settings.columns is not None:
        width = len(settings.columns)
        return max(candidates, key=lambda dialect: samples[dialect].count(width))
    if form == "tsv" and samples.get(tab := Dialect("\t", quotechar), (0,))[0] != 1:
        return tab
    apart = [dialect for dialect in candidates if samples[dialect][0] > 1]
    return max(apart, key=lambda dialect: _agreement(samples[dialect]), default=candidates[0])


def _widths(lines: Sequence[bytes], dialect: Dialect) -> tuple[int, ...]:
    """How many cells the first records have, the header first."""
    records = islice(parse(lines[:_SAMPLE_LINES], dialect, final=True), _SAMPLE_RECORDS)
    return tuple(len(record.cells) for record in records) or (0,)


def _agreement(widths: tuple[int, ...]) -> tuple[float, int]:
    """The share of records as wide as the header, then the width."""
    return widths.count(widths[0]) / len(widths), widths[0]


def read_header(name: str, lines: Sequence[bytes], dialect: Dialect) -> Header:
    """The first record of a table, whose lines are whole; raises SourceError where there is none."""
    record = next(parse(lines, dialect, final=True), None)
    if record is None:
        raise SourceError(f"{name}: no header. A table begins with a line of column names.")
    if record.reason:
        raise SourceError(
            f"{name}: line {record.start + 1}: the header cannot be read: {record.reason}. "
            "Mend it, or name another --delimiter or --quotechar ('' for none)."
        )
    return Header(tuple(record.cells), record.stop)
