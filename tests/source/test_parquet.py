"""Parquet: every value exact, row by row."""

from __future__ import annotations

import datetime as dt
import gzip
import uuid
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.errors import SourceError, UsageError
from replay.settings import ReadSettings
from replay.source import Fingerprint, Source, bounds, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MOMENT = dt.datetime(2024, 3, 1, 9, 30, 15, 123456)


@pytest.fixture
def read_table(tmp_path: Path, read: Callable[..., Any]) -> Callable[..., Any]:
    def of(table: pa.Table, name: str = "a.parquet", row_group_size: int = 1000, **settings: Any) -> Any:
        pq.write_table(table, tmp_path / name, row_group_size=row_group_size)
        return read(tmp_path / name, **settings)

    return of


def column(values: list[Any], kind: pa.DataType) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def test_rows_are_records_in_order_over_all_row_groups(read_table: Callable[..., Any]) -> None:
    table = pa.table({"n": range(5000), "s": [f"가{n}" for n in range(5000)]})
    got = read_table(table, row_group_size=1700)
    assert got.values == [{"n": n, "s": f"가{n}"} for n in range(5000)]
    assert got.rows == got.lines == list(range(1, 5001))
    assert max(len(chunk) for chunk in got.chunks) <= bounds.RECORD_ROWS
    reader = got.reader
    assert (reader.format, reader.encoding, reader.compression, reader.header) == ("parquet", "", None, ())
    assert got.chunks[0].raw[1] == '{"n":1,"s":"가1"}'.encode()


def test_it_is_known_by_its_content_whatever_its_name(read_table: Callable[..., Any]) -> None:
    got = read_table(column([1], pa.int64()), "rows.csv")
    assert got.values == [{"x": 1}]
    assert got.reader.fingerprint.length == len(b'{"x":1}\n')


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (pa.int64(), -(2**63), -(2**63)),
        (pa.uint64(), 2**64 - 1, 2**64 - 1),
        (pa.bool_(), False, False),
        (pa.string(), "00123", "00123"),
        (pa.large_string(), "", ""),
        (pa.float64(), 0.1, 0.1),
        (pa.float32(), 19.99, 19.99),
        (pa.float16(), 0.1, 0.1),
        (pa.decimal128(38, 2), Decimal("12345678901234567890123456.10"), "12345678901234567890123456.10"),
        (pa.decimal128(9, 4), Decimal("12.5000"), "12.5000"),
        (pa.timestamp("us"), MOMENT, "2024-03-01T09:30:15.123456"),
        (pa.timestamp("ms"), MOMENT.replace(microsecond=0), "2024-03-01T09:30:15"),
        (pa.timestamp("ns"), MOMENT, "2024-03-01T09:30:15.123456"),
        (pa.timestamp("us", "UTC"), MOMENT, "2024-03-01T09:30:15.123456Z"),
        (pa.timestamp("us", "Asia/Seoul"), MOMENT, "2024-03-01T09:30:15.123456Z"),
        (pa.timestamp("s", "+09:00"), MOMENT.replace(microsecond=0), "2024-03-01T09:30:15Z"),
        (pa.date32(), dt.date(1999, 12, 31), "1999-12-31"),
        (pa.time64("us"), dt.time(9, 30), "09:30:00"),
        (pa.dictionary(pa.int32(), pa.string()), "a", "a"),
        (pa.list_(pa.int64()), [1, None, 2**60], [1, None, 2**60]),
        (pa.struct([("a", pa.int8()), ("b", pa.list_(pa.timestamp("us", "UTC")))]), {"a": 1, "b": [MOMENT]},
         {"a": 1, "b": ["2024-03-01T09:30:15.123456Z"]}),
        (pa.map_(pa.string(), pa.float32()), [("k", 0.5)], {"k": 0.5}),
        (pa.uuid(), uuid.UUID(int=7).bytes, str(uuid.UUID(int=7))),
        (pa.string(), None, None),
        (pa.struct([("a", pa.int8())]), None, None),
        (pa.timestamp("us", "UTC"), None, None),
    ],
)  # fmt: skip
def test_every_value_arrives_exactly(
    kind: pa.DataType, value: Any, wanted: Any, read_table: Callable[..., Any]
) -> None:
    got = read_table(column([value], kind))
    (record,) = got.values
    found = record["x"]
    assert (str(found) if pa.types.is_decimal(kind) else found) == wanted
    assert type(found) is not bool or kind == pa.bool_()


def test_nanoseconds_are_kept(read_table: Callable[..., Any]) -> None:
    got = read_table(column([1_709_285_415_123_456_789], pa.timestamp("ns", "UTC")))
    assert got.values == [{"x": "2024-03-01T09:30:15.123456789Z"}]


def test_a_value_that_json_or_python_has_not_costs_its_row_only(read_table: Callable[..., Any]) -> None:
    got = read_table(column([1.0, float("nan"), 2.0, float("-inf"), 3.0], pa.float64()))
    assert [record["x"] for record in got.values] == [1.0, 2.0, 3.0]
    assert [(flaw.row, flaw.rule) for flaw in got.bad] == [(2, "row-unreadable"), (4, "row-unreadable")]
    far = read_table(column([0, 2**62, 1], pa.timestamp("us")))
    assert (far.rows, [flaw.row for flaw in far.bad]) == ([1, 3], [2])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (pa.binary(), "holds bytes"),
        (pa.binary(4), "holds bytes"),
        (pa.list_(pa.binary()), "list<"),
        (pa.duration("s"), "duration"),
        (pa.map_(pa.int64(), pa.string()), "map<"),
    ],
)
def test_a_column_that_json_has_no_word_for_is_refused_by_name(
    kind: pa.DataType, words: str, read_table: Callable[..., Any]
) -> None:
    with pytest.raises(SourceError, match=f"a.parquet: the column 'x' .*{words}.*Export it as text"):
        read_table(column([None], kind))


def test_a_column_that_comes_twice_is_refused(read_table: Callable[..., Any]) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(SourceError, match="'x' comes twice"):
        read_table(table)


@pytest.mark.parametrize(
    "settings", [{"format": "csv"}, {"columns": ("a",)}, {"delimiter": ";"}, {"records": "a"}]
)
def test_options_that_speak_of_another_file_are_wrong_usage(
    settings: Any, read_table: Callable[..., Any]
) -> None:
    with pytest.raises(UsageError, match=f"Parquet file, which --{next(iter(settings))} does not fit"):
        read_table(column([1], pa.int64()), **settings)


def test_a_file_that_is_cut_off_is_refused_and_a_damaged_page_ends_the_rows(
    tmp_path: Path, read: Callable[..., Any]
) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table({"n": range(3000), "s": [f"{n * 7919}" for n in range(3000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    data = path.read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(SourceError, match=r"a\.parquet: a Parquet file that cannot be read"):
        read(path)
    broken = bytearray(data)
    for place in range(len(data) // 2, len(data) // 2 + 400):
        broken[place] ^= 0xFF
    path.write_bytes(bytes(broken))
    got = read(path)
    assert got.values == [{"n": n, "s": f"{n * 7919}"} for n in range(len(got.values))]
    assert 1000 <= len(got.values) < 3000
    assert ["damaged Parquet" in flaw.reason for flaw in got.bad] == [True]


def test_a_compression_around_a_whole_file_is_refused_in_words(
    tmp_path: Path, read_bytes: Callable[..., Any]
) -> None:
    pq.write_table(column([1], pa.int64()), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet\.gz: Parquet, gzip around it: unpack it first"):
        read_bytes("a.parquet.gz", gzip.compress((tmp_path / "a.parquet").read_bytes()))


def test_a_table_without_rows_has_none(read_table: Callable[..., Any]) -> None:
    assert read_table(column([], pa.int64())).rows == []


def fingerprint_in(folder: Path, table: pa.Table, marks_at: tuple[int, ...] = (), **how: Any) -> Fingerprint:
    path = folder / "a.parquet"
    pq.write_table(table, path, **how)
    return fingerprint_of(Source(path.name, path), ReadSettings(), marks_at)


ODD: pa.Table = pa.table(
    {
        "f": pa.array([1.5, float("nan"), None, float("inf"), -0.0] * 900),
        "s": pa.array(["a", "", None, '"},{"', "x\ny\x1f"] * 900),
        "l": pa.array([[1, None], [], None, [2**60], [3]] * 900, pa.list_(pa.int64())),
        "d": pa.array(
            [Decimal("1.10"), None, Decimal("1.1"), Decimal(0), Decimal(-1)] * 900, pa.decimal128(9, 2)
        ),
        "t": pa.array([0, None, 1, 2**50, -1] * 900, pa.timestamp("us", "UTC")),
    }
)


@pytest.mark.parametrize(
    "how",
    [
        {"compression": "zstd"},
        {"compression": "none", "row_group_size": 7},
        {"row_group_size": 4500, "version": "1.0"},
        {"use_dictionary": False, "data_page_version": "2.0", "write_statistics": False},
    ],
)
def test_the_same_cells_are_the_same_content_however_they_are_packed(
    how: dict[str, Any], tmp_path: Path
) -> None:
    assert fingerprint_in(tmp_path, ODD, **how) == fingerprint_in(tmp_path, ODD)


def test_a_table_with_more_rows_begins_with_the_one_before(tmp_path: Path) -> None:
    before = fingerprint_in(tmp_path, ODD.slice(0, 3001), row_group_size=1000)
    after = fingerprint_in(tmp_path, ODD, (before.length,), row_group_size=777)
    assert after.marks[before.length] == before.digest
    assert before.whole_lines == (before.length, before.digest)


@pytest.mark.parametrize("rows", [0, 1, 4500])
def test_a_fingerprint_is_the_same_whether_rows_are_read_or_not(
    rows: int, read_table: Callable[..., Any], tmp_path: Path
) -> None:
    table = ODD.slice(0, rows)
    assert read_table(table).reader.fingerprint == fingerprint_in(tmp_path, table)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (pa.string(), [None], [""]),
        (pa.string(), ["null"], [None]),
        (pa.string(), ['a","x":"b'], ["a"]),
        (pa.string(), ["a", "b"], ['a"}\n{"x":"b']),
        (pa.float64(), [float("nan")], [None]),
        (pa.float64(), [float("nan")], [float("inf")]),
        (pa.float64(), [float("inf")], [float("-inf")]),
        (pa.list_(pa.string()), [["a", "b"]], [["a,b"]]),
        (pa.list_(pa.string()), [[None]], [[]]),
        (pa.list_(pa.float64()), [[float("nan")]], [[float("nan"), 1.0]]),
        (pa.decimal128(9, 2), [Decimal("1.10")], [Decimal("1.11")]),
        (pa.timestamp("us"), [2**62], [2**62 + 1]),
        (pa.timestamp("us"), [0], [1]),
        (pa.string(), ["x" * 70_000 + "a"], ["x" * 70_000 + "b"]),
        (pa.struct([("a", pa.int8()), ("b", pa.int8())]), [{"a": 1, "b": None}], [{"a": None, "b": 1}]),
    ],
)
def test_other_cells_are_another_content(
    kind: pa.DataType, one: list[Any], other: list[Any], tmp_path: Path
) -> None:
    digests = {fingerprint_in(tmp_path, column(values, kind)).digest for values in (one, other)}
    assert len(digests) == 2


def test_a_long_cell_beside_one_that_is_no_number_counts_whole(tmp_path: Path) -> None:
    def table(text: str) -> pa.Table:
        return pa.table({"x": pa.array([float("nan")]), "s": pa.array(["y" * 500 + text])})

    assert fingerprint_in(tmp_path, table("a")).digest != fingerprint_in(tmp_path, table("b")).digest


@pytest.mark.parametrize("where", ["column", "member"])
def test_a_name_that_is_not_utf8_is_refused_in_one_sentence(
    tmp_path: Path, read: Callable[..., Any], where: str
) -> None:
    values = pa.array(["a"]) if where == "column" else pa.array([{"QQQQQQ": 1}])
    pq.write_table(pa.table({"QQQQQQ" if where == "column" else "x": values}), tmp_path / "a.parquet")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data.replace(b"QQQQQQ", b"QQ\xe8\xffQQ"))
    with pytest.raises(SourceError, match=r"a\.parquet: a Parquet file .*not UTF-8"):
        read(tmp_path / "a.parquet")


def test_a_text_that_is_not_utf8_costs_its_row_only(tmp_path: Path, read: Callable[..., Any]) -> None:
    table = pa.table({"x": pa.array(["one", "QQQQQQ", "three"])})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False, compression="none")
    data = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(data.replace(b"QQQQQQ", b"QQ\xe8\xffQQ"))
    got = read(tmp_path / "a.parquet")
    assert (len(got.rows), [flaw.row for flaw in got.bad]) == (2, [2])


def test_no_damage_to_a_file_is_anything_but_a_source_error_or_rows_that_are_unreadable(
    tmp_path: Path, read: Callable[..., Any]
) -> None:
    stamp = pa.array([MOMENT] * 3, pa.timestamp("us", "Asia/Seoul"))
    table = pa.table({"text": ["a", "b", "c"], "when": stamp, "in": [{"n": 1}, {"n": 2}, None]})
    pq.write_table(table, tmp_path / "whole.parquet", compression="none")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for at in range(4, len(whole) - 8, 7):
        damaged = bytes([*whole[:at], whole[at] ^ 0xFF, *whole[at + 1 :]])
        (tmp_path / "a.parquet").write_bytes(damaged)
        with suppress(SourceError):
            read(tmp_path / "a.parquet")
