"""The proof of reading: generated files, each read as a user's would be, against `csv.reader` and `json`.

`python tests/proof/reading.py --examples 20000` generates so many files in all and prints what it compared.
Tables are read twice: the fast way where it is taken, and the exact one throughout.
"""

from __future__ import annotations

import argparse
import bz2
import csv
import gzip
import io
import json
import lzma
import sys
import tempfile
import time
import zipfile
from collections import Counter
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from replay.settings import ReadSettings
from replay.source import Source, open_source, regular

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPTH = 128
SURROGATES = range(0xDC80, 0xDD00)
COUNTED: Counter[str] = Counter()


def zipped(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", data)
    return stream.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": lambda data: gzip.compress(data[:9], 1) + gzip.compress(data[9:], 1),
    "bz2": bz2.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
    "zip": zipped,
}  # fmt: skip


@contextmanager
def on_disk(data: bytes) -> Iterator[Source]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        yield Source("generated", Path(file.name))


def told(data: bytes, options: ReadSettings) -> tuple[list[tuple[int, int, Any]], list[tuple[int, int]]]:
    """What the reader gives: (row, line, value) of each row, (row, line) of each that cannot be read."""
    rows: list[tuple[int, int, Any]] = []
    bad: list[tuple[int, int]] = []
    with on_disk(data) as source, open_source(source, options) as reader:
        for chunk in reader:
            values = (
                chunk.frame[0]
                if chunk.kind == "records"
                else [tuple(cells) for cells in chunk.frame.itertuples(index=False, name=None)]
            )
            rows += zip(chunk.rows.tolist(), chunk.lines.tolist(), values, strict=True)
            bad += [(flaw.row, flaw.line) for flaw in chunk.unreadable]
    return rows, bad


# Tables

CHARACTERS = "a\"가0 ,;\t|\n\r'\0\x0b\x85\u2028\ufeff\x01"
CELLS = st.text(st.sampled_from(CHARACTERS), max_size=5)
TOKENS = ('"', ",", ";", "\n", "\r\n", "\r", "a", " ", "가", "\0", '""', '","', "a,b\n", '"a\nb",c\n', "\x01")
ODD = st.lists(st.sampled_from(TOKENS), max_size=25).map("".join)
DIALECTS = st.tuples(st.sampled_from(",;\t|"), st.sampled_from(['"', "'", ""]))


def reference(text: str, delimiter: str, quotechar: str, width: int) -> tuple[list[Any], list[Any]]:
    """Rows and flaws by csv.reader alone: one record at a time, from its line on."""
    lines = text.encode("utf-8", "surrogateescape").splitlines(keepends=True)
    quoting = {"quotechar": quotechar} if quotechar else {"quoting": csv.QUOTE_NONE}
    rows: list[Any] = []
    bad: list[Any] = []
    at, row = 0, 0
    while at < len(lines):
        texts = (line.decode("utf-8", "surrogateescape") for line in lines[at:])
        reader = csv.reader(texts, strict=True, delimiter=delimiter, **quoting)  # type: ignore[arg-type]
        try:
            cells = next(reader)
        except csv.Error:
            row, used = row + 1, 1
            bad.append((row, at + 1))
        else:
            used = reader.line_num
            if cells:
                row += 1
                broken = any(ord(one) in SURROGATES for cell in cells for one in cell)
                is_row = len(cells) == width and not broken
                (rows if is_row else bad).append((row, at + 1, tuple(cells)) if is_row else (row, at + 1))
        at += used
    return rows, bad


def check_table(text: str, dialect: tuple[str, str], dress: tuple[str, str], width: int) -> None:
    """Read a table without header in some dress; compare each cell, row and line."""
    encoding, packer = dress
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        data, encoding = text.encode(), "utf-8"
    if text.startswith("\ufeff") and encoding != "utf-16":
        return  # its first character is a mark
    if encoding == "utf-8" and 4 * max(data[0::2].count(0), data[1::2].count(0)) > len(data):
        return  # full of NUL: refused as UTF-16 without a mark
    if encoding == "utf-16" and text.startswith("\0"):
        return  # its mark and this are the mark of UTF-32
    delimiter, quotechar = dialect
    options = ReadSettings(
        format="csv",
        encoding=encoding,
        delimiter=delimiter,
        quotechar=quotechar,
        columns=tuple(f"c{number}" for number in range(width)),
    )
    wanted = reference(text, delimiter, quotechar, width)
    packed = PACKERS[packer](data)
    assert told(packed, options) == wanted
    with mock.patch.object(regular, "survey", return_value=None):
        assert told(packed, options) == wanted
    COUNTED["cells"] += width * len(wanted[0])
    COUNTED["rows that are none"] += len(wanted[1])


DRESSES = st.tuples(
    st.sampled_from(["utf-8", "utf-16", "utf-32-le", "cp949"]), st.sampled_from(list(PACKERS))
)


@given(st.data(), st.integers(1, 4), DIALECTS, DRESSES, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def written_tables(
    data: Any, width: int, dialect: tuple[str, str], dress: tuple[str, str], quoting: Any
) -> None:
    """Tables that a CSV writer wrote: every cell comes back."""
    delimiter, quotechar = dialect[0], dialect[1] or '"'
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8))
    text = io.StringIO(newline="")
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    csv.writer(text, delimiter=delimiter, quotechar=quotechar, lineterminator=end, quoting=quoting).writerows(
        rows
    )
    check_table(text.getvalue() * data.draw(st.integers(1, 3)), (delimiter, quotechar), dress, width)


@given(ODD, DIALECTS, st.integers(1, 3), DRESSES)
def odd_tables(text: str, dialect: tuple[str, str], width: int, dress: tuple[str, str]) -> None:
    """Text of quotes, delimiters and line ends in any order: rows, lines and flaws are csv.reader's."""
    check_table(text, dialect, dress, width)


# JSON

TEXTS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ['"', "\\", "}]", '{"a":', "a:b", "\u2028", "\n", "가", "\U0001f600"]
)
NUMBERS = (
    st.integers(-(10**30), 10**30).map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
WORDS = st.sampled_from(["null", "true", "false"])
STRINGS = st.tuples(TEXTS, st.booleans()).map(lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]))
LEAVES = WORDS | NUMBERS | STRINGS
SPACES = st.sampled_from(["", "", "", " ", "\t"])


def members(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(TEXTS.map(json.dumps), SPACES, inside).map(
        lambda parts: f"{parts[0]}{parts[1]}:{parts[1]}{parts[2]}"
    )
    return st.lists(pair, max_size=4).map(lambda pairs: "{" + ",".join(pairs) + "}")


VALUES = st.recursive(
    LEAVES,
    lambda inside: (
        st.lists(inside, max_size=3).map(lambda items: "[" + " ,".join(items) + "]") | members(inside)
    ),
    max_leaves=8,
)
OBJECTS = members(VALUES)
BREAKS = (
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "NaN",
    "1e400",
    "-",
    "0",
    "\\ud800",
    "'",
    "\x01",
    "/*x*/",
    " ",
)


class NotReadError(ValueError):
    pass


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise NotReadError("twice")
    return dict(pairs)


def exact(text: str) -> Decimal:
    double = float(text)
    try:
        value = Decimal(text)
    except InvalidOperation as error:  # an exponent of nineteen digits
        raise NotReadError("range") from error
    if double in (float("inf"), float("-inf")) or (double == 0 and value != 0):
        raise NotReadError("range")
    return value


def refuse(_: str) -> Any:
    raise NotReadError("no JSON")


def depth(value: Any) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


def record(raw: bytes) -> Any:
    """What json makes of one record; None where it is none."""
    try:
        value = json.loads(raw.decode(), parse_float=exact, parse_constant=refuse, object_pairs_hook=unique)
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and depth(value) <= DEPTH else None


def same(ours: Any, theirs: Any) -> bool:
    """Whether a value is the same, to the last digit, and of the same kind."""
    if isinstance(theirs, Decimal):
        return (Decimal(repr(ours)) if isinstance(ours, float) else ours) == theirs and not isinstance(
            ours, int
        )
    if isinstance(theirs, dict):
        return (
            isinstance(ours, dict)
            and list(ours) == list(theirs)
            and all(same(ours[name], theirs[name]) for name in theirs)
        )
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is type(theirs) and bool(ours == theirs)


def compare(got: Any, wanted: tuple[list[Any], list[Any]]) -> None:
    rows, bad = got
    assert [row[:2] for row in rows] == [row[:2] for row in wanted[0]]
    assert bad == wanted[1]
    for ours, theirs in zip(rows, wanted[0], strict=True):
        assert same(ours[2], theirs[2]), (ours, theirs)
    COUNTED["records"] += len(rows)
    COUNTED["rows that are none"] += len(bad)


@st.composite
def json_lines(draw: Any) -> str:
    line = draw(OBJECTS | VALUES)
    if draw(st.integers(0, 2)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.sampled_from(BREAKS)) + line[at + draw(st.integers(0, 2)) :]
    return line + draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n", " \n"]))


@given(st.lists(json_lines(), max_size=8).map("".join), DRESSES)
def lines_of_json(text: str, dress: tuple[str, str]) -> None:
    """JSON Lines, a third of them broken: each record and each flaw is json's."""
    encoding, packer = dress
    if text.startswith("\ufeff") or encoding == "cp949":
        encoding = "utf-16"
    rows: list[Any] = []
    bad: list[Any] = []
    for at, line in enumerate(text.encode().splitlines(), 1):
        if not line or line.isspace():
            continue
        value, row = record(line), len(rows) + len(bad) + 1
        (bad if value is None else rows).append((row, at) if value is None else (row, at, value))
    options = ReadSettings(format="jsonl", encoding=encoding)
    compare(told(PACKERS[packer](text.encode(encoding)), options), (rows, bad))


@given(
    st.lists(st.tuples(st.sampled_from(["", "\n", " ", "\r\n", "\n\r "]), OBJECTS | VALUES), max_size=6),
    st.integers(1, 2),
    st.booleans(),
    st.sampled_from(list(PACKERS)),
)
def documents_of_json(elements: list[tuple[str, str]], times: int, paged: bool, packer: str) -> None:
    """Arrays and pages: each element is what json makes of it, on the line where it starts."""
    text, rows, bad = "", [], []
    for page in range(times):
        text += f'{{"next": {page}, "p": {{"x": "]", "r": [' if paged else "["
        for number, (space, element) in enumerate(elements):
            text += "," * (number > 0) + space
            start = text.count("\n") + text.count("\r") - text.count("\r\n") + 1
            text += element
            value, row = record(element.encode()), len(rows) + len(bad) + 1
            (bad if value is None else rows).append((row, start) if value is None else (row, start, value))
        text += ']}, "y": [{}]}\n' if paged else "]\n"
    options = ReadSettings(format="json", records="p.r" if paged else None)
    compare(told(PACKERS[packer](text.encode()), options), (rows, bad))


KINDS = (written_tables, odd_tables, lines_of_json, documents_of_json)


def prove(kind: Any, examples: int) -> None:
    """Generate so many files of a kind, and compare each; AssertionError shows the smallest that differs."""
    profile = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    profile(kind)()


def main() -> None:
    """Generate files of every kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000, help="generated files in all")
    asked = parser.parse_args()
    print("| files | | seconds |\n|---|---|---|")
    for kind in KINDS:
        began = time.monotonic()
        prove(kind, asked.examples // len(KINDS))
        print(
            f"| {asked.examples // len(KINDS):,} | {kind.__doc__} | {time.monotonic() - began:.0f} |",
            flush=True,
        )
    print("; ".join(f"{number:,} {what}" for what, number in COUNTED.items()), "compared, none differs")


if __name__ == "__main__":
    sys.exit(main())
