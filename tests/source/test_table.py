"""The fast way and the exact one, tested against each other and against csv.reader."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.source import bounds, regular
from replay.source.dialect import Dialect
from replay.source.exact import TOO_LONG, parse
from replay.source.lines import blocks
from replay.source.table import Table

if TYPE_CHECKING:
    from replay.source.stretch import Stretch

COMMA = Dialect(",", '"')
PLAIN = Dialect(",", "")
TOKENS = [
    b'"',
    b",",
    b"\n",
    b"\r\n",
    b"\r",
    b"a",
    b" ",
    b"\xea\xb0\x80",
    b"\0",
    b"\xb0",
    b"\x01",
    b'""',
    b'","',
]
ODD = st.lists(
    st.sampled_from([*TOKENS, b"\xef\xbb\xbf", b",", b"\n", b"a,b\n", b'"a\nb",c\n']), max_size=30
).map(b"".join)
CELLS = st.text(st.sampled_from("a\"가, \n\r\t|;'\0\x0b\x85\u2028\ufeff"), max_size=5)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8)

Row = tuple[int, int, tuple[str, ...]]
Flaw = tuple[int, int, str]


def told(stretches: list[Stretch]) -> tuple[list[Row], list[Flaw]]:
    """What stretches hold, as rows and flaws, each with its row number and line."""
    rows: list[Row] = []
    flaws: list[Flaw] = []
    for stretch in stretches:
        assert {str(dtype) for dtype in stretch.frame.dtypes} <= {"str"}
        assert stretch.frame.columns.equals(pd.RangeIndex(stretch.frame.shape[1]))
        cells = stretch.frame.itertuples(index=False, name=None)
        rows += zip(stretch.rows.tolist(), stretch.lines.tolist(), cells, strict=True)
        flaws += [(flaw.row, flaw.line, flaw.rule) for flaw in stretch.unreadable]
    return rows, flaws


def read(
    data: bytes, dialect: Dialect, width: int, size: int = bounds.BLOCK_BYTES
) -> tuple[list[Row], list[Flaw]]:
    table = Table(dialect, width, line=1)
    stretches: list[Stretch] = []
    tail = b""
    for block in blocks([data], size):
        if block.kind == "whole":
            stretches += table.read(block.data)
        else:
            tail = block.data
    return told([*stretches, table.finish(tail)])


def plainly(data: bytes, dialect: Dialect, width: int) -> tuple[list[Row], list[Flaw]]:
    """The same by csv.reader alone, a record at a time, as slowly and simply as it can be said."""
    lines = data.splitlines(keepends=True)
    rows: list[Row] = []
    flaws: list[Flaw] = []
    at, row = 0, 0
    while at < len(lines):
        texts = [line.decode("utf-8", "surrogateescape") for line in lines[at:]]
        reader = dialect.reader(texts)
        try:
            cells = tuple(next(reader))
        except csv.Error:
            row += 1
            flaws.append((row, at + 1, "row-unreadable"))
            at += 1
            continue
        raw = b"".join(lines[at : at + reader.line_num])
        if cells:
            row += 1
            if any("\udc80" <= character <= "\udcff" for character in raw.decode("utf-8", "surrogateescape")):
                flaws.append((row, at + 1, "row-unreadable"))
            elif len(cells) != width:
                flaws.append((row, at + 1, "row-fields"))
            else:
                rows.append((row, at + 1, cells))
        at += reader.line_num
    return rows, flaws


def written(rows: list[list[str]], end: str, quoting: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue().encode()


@settings(max_examples=400)
@given(
    ODD, st.integers(1, 3), st.sampled_from([1, 5, 16, bounds.BLOCK_BYTES]), st.sampled_from([COMMA, PLAIN])
)
@example(b'"\n"\na\n', 1, 1, COMMA)
@example(b'x","y\nx","y\nz\n', 2, 1, COMMA)
@example(b"\xef\xbb\xbfa,b\n", 2, 1, COMMA)
@example(b'""\n', 1, 1, COMMA)
def test_any_bytes_give_the_rows_lines_and_flaws_that_csv_reader_gives(
    data: bytes, width: int, size: int, dialect: Dialect
) -> None:
    assert read(data, dialect, width, size) == plainly(data, dialect, width)


@settings(max_examples=200)
@given(
    TABLES,
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.integers(1, 60),
)
def test_what_a_csv_writer_wrote_comes_back_cell_by_cell_at_any_block_size(
    rows: list[list[str]], end: str, quoting: Any, size: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:  # this writer leaves a lone return unquoted
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    got, flaws = read(written(rows, end, quoting), COMMA, 3, size)
    assert [list(cells) for _, _, cells in got] == rows
    assert [row for row, _, _ in got] == list(range(1, len(rows) + 1))
    assert flaws == []


@given(TABLES, st.sampled_from(["\n", "\r\n"]))
def test_strictly_quoted_blocks_go_the_fast_way_and_give_the_same(rows: list[list[str]], end: str) -> None:
    rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    data = written(rows, end, csv.QUOTE_ALL)
    layout = regular.survey(data, COMMA)
    assert layout is not None
    frame = regular.load(data, layout, COMMA, 3)
    assert frame is not None
    assert frame.to_numpy().tolist() == rows
    assert (layout.lines + 1).tolist() == [line for _, line, _ in plainly(data, COMMA, 3)[0]]


def test_quotes_inside_unquoted_cells_do_not_keep_a_block_from_the_fast_way() -> None:
    data = b'1,5" pipe\n2,"" x" \n'.replace(b',""', b',a""')
    layout = regular.survey(data, COMMA)
    assert layout is not None
    frame = regular.load(data, layout, COMMA, 2)
    assert frame is not None
    assert frame.to_numpy().tolist() == [["1", '5" pipe'], ["2", 'a"" x" ']]


@pytest.mark.parametrize(
    "data",
    [
        b'1,"x\n2,y\n3,"z\n',
        b'1,"x"y\n',
        b'1,a"b,"c"\n2,"d\n',
        b"1,a\n\n2,b\n",
        b'1,"a"\n\r\n2,"b"\n',
        b"1,a\r2,b\n",
        b"1,\xb0\n",
        b"\xef\xbb\xbf1,a\n",
        b"1,a",
    ],
)
def test_a_block_that_is_not_shown_to_be_regular_does_not_go_the_fast_way(data: bytes) -> None:
    assert regular.survey(data, COMMA) is None


def test_a_block_with_a_wrong_number_of_cells_does_not_go_the_fast_way() -> None:
    for data in (b"1,a\n2\n", b"1,a\n2,b,c\n", b"1\n2\n", b'"1"\n"2"\n'):
        layout = regular.survey(data, COMMA)
        assert layout is not None
        assert regular.load(data, layout, COMMA, 2) is None


def test_multiline_cells_in_a_large_block_are_not_cut_where_arrow_would_cut_them() -> None:
    row = b'1,"' + b"x\n" * 500 + b'"\n'
    data = row * (3 * bounds.MIB // len(row))
    layout = regular.survey(data, COMMA)
    assert layout is not None
    assert len(layout.cuts) > 3
    frame = regular.load(data, layout, COMMA, 2)
    assert frame is not None
    assert set(frame[1]) == {"x\n" * 500}
    assert len(frame) == data.count(row)


def test_a_quoted_record_past_a_bound_is_one_row_and_the_lines_after_it_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bounds, "RECORD_LINES", 3)
    data = b'1,"a\nb,c\nd,e\nf,g"\n2,z\n'
    for size in (1, 8, 100):
        rows, flaws = read(data, COMMA, 2, size)
        assert flaws == [(1, 1, "row-unreadable")]
        assert [cells for _, _, cells in rows] == [("b", "c"), ("d", "e"), ("f", 'g"'), ("2", "z")]
    monkeypatch.setattr(bounds, "RECORD_LINES", 4)
    assert read(data, COMMA, 2, 8)[1] == []


@given(ODD, st.integers(1, 4), st.integers(5, 30))
def test_bounds_on_a_record_do_not_depend_on_how_blocks_are_cut(data: bytes, lines: int, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "RECORD_LINES", lines)
        patch.setattr(bounds, "RECORD_BYTES", size)
        assert read(data, COMMA, 2, 1) == read(data, COMMA, 2, 7) == read(data, COMMA, 2)


@given(
    ODD,
    st.sampled_from(
        [
            Dialect(";", "'"),
            Dialect(" ", '"'),
            Dialect("|", "^"),
            Dialect("\t", '"'),
            Dialect("¦", '"'),
            Dialect("a", "x"),
        ]
    ),
)
def test_any_delimiter_and_quote_character_is_read_as_csv_reader_reads_it(
    data: bytes, dialect: Dialect
) -> None:
    data = data.replace(b",", dialect.delimiter.encode()).replace(b'"', dialect.quotechar.encode())
    assert read(data, dialect, 2) == plainly(data, dialect, 2)


def test_the_message_of_a_record_past_a_bound_says_the_bounds() -> None:
    assert "10,000 lines" in TOO_LONG
    assert "1,048,576 bytes" in TOO_LONG


@pytest.mark.parametrize("odd", [[b'x","y\n'], [b"a,b\n", b'x","y\n'], [b'"x"y\n', b'x","y\n', b"\n"]])
@pytest.mark.parametrize("last", [b'x","y"z\n', b"z\n"])
def test_quotes_that_open_again_and_again_are_not_read_again_and_again(odd: list[bytes], last: bytes) -> None:
    class Counted(list[bytes]):
        reads = 0

        def __getitem__(self, at: Any) -> Any:
            Counted.reads += 1
            return super().__getitem__(at)

    lines = Counted([*odd * 2000, last])
    Counted.reads = 0
    assert len(list(parse(lines, COMMA, final=True))) == sum(line != b"\n" for line in lines)
    assert Counted.reads < 20 * len(lines)


def test_the_raw_bytes_of_a_flaw_are_its_first_line_or_its_record_and_bounded() -> None:
    table = Table(COMMA, 2, line=1)
    data = b'1,"x"y\r\n"a\nb"\n' + b"z" * 100_000 + b"\n"
    (stretch,) = table.read(data)
    assert [flaw.raw for flaw in stretch.unreadable] == [b'1,"x"y', b'"a\nb"', b"z" * bounds.RAW_BYTES]


def test_an_odd_row_slows_down_its_own_part_of_a_block_only() -> None:
    part = b"1,a\n" * (bounds.PART_BYTES // 4 + 1)
    stretches = list(Table(COMMA, 2, line=1).read(part + b"odd\n" + part * 3))
    sizes = [len(stretch.rows) for stretch in stretches]
    assert len(sizes) > 3
    assert sum(sizes) == 4 * part.count(b"\n")
    assert [bool(stretch.unreadable) for stretch in stretches].count(True) == 1


def test_no_word_or_number_is_anything_but_the_text_that_it_is() -> None:
    cells = [b"007", b"1e5", b"NA", b"NaN", b"null", b"true", b"2024-01-01", b"", b" x ", b"1.50"]
    data = b",".join(cells) + b"\n"
    layout = regular.survey(data, COMMA)
    assert layout is not None
    frame = regular.load(data, layout, COMMA, len(cells))
    assert frame is not None
    assert [cell.encode() for cell in frame.iloc[0]] == cells
    assert regular.load(data, layout, COMMA, len(cells) + 1) is None
