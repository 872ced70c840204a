from __future__ import annotations

import bz2
import gzip
from typing import TYPE_CHECKING, Any

import pytest

from replay.errors import SourceError
from replay.settings import ReadSettings
from replay.source import Source, bounds, open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def table(rows: int) -> bytes:
    return b"a,b\n" + b"".join(b'%d,"row %d"\n' % (row, row) for row in range(rows))


def test_a_reader_tells_what_it_found_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("가;나\n1;2\n".encode("utf-16")))
    source = Source("a.csv.gz", path)
    with open_source(source, ReadSettings()) as reader:
        assert (reader.source, reader.format, reader.encoding) == (source, "csv", "utf-16-le")
        assert (reader.compression, reader.delimiter, reader.quotechar) == ("gzip", ";", '"')
        assert (reader.header, reader.size) == (("가", "나"), path.stat().st_size)


def test_a_reader_of_records_has_no_header_and_no_delimiter(read_bytes: Callable[..., Any]) -> None:
    reader = read_bytes("a.jsonl", b'{"a":1}\n').reader
    assert (reader.format, reader.header, reader.delimiter, reader.quotechar) == ("jsonl", (), None, None)


def test_chunks_are_bounded_and_rows_and_lines_go_on_across_them(read_bytes: Callable[..., Any]) -> None:
    got = read_bytes("a.csv", table(300_000))
    assert max(len(chunk) for chunk in got.chunks) <= bounds.TABLE_ROWS
    assert got.rows == list(range(1, 300_001))
    assert got.lines == list(range(2, 300_002))
    assert got.values[-1] == ("299999", "row 299999")
    for chunk in got.chunks:
        assert (chunk.kind, chunk.header, chunk.raw) == ("table", ("a", "b"), None)
        assert chunk.frame.index.tolist() == list(range(len(chunk)))
        assert chunk.rows.dtype == chunk.lines.dtype == "int64"


def test_unreadable_rows_are_in_the_chunk_of_their_stretch(read_bytes: Callable[..., Any]) -> None:
    data = b"a\n" + b"".join(b"x,y\n" if row % 1000 == 0 else b"x\n" for row in range(100_000))
    got = read_bytes("a.csv", data, delimiter=",")
    assert [flaw.row for flaw in got.bad] == list(range(1, 100_001, 1000))
    for chunk in got.chunks:
        rows = sorted([*chunk.rows.tolist(), *(flaw.row for flaw in chunk.unreadable)])
        assert rows == list(range(rows[0], rows[-1] + 1))
    assert sorted(got.rows + [flaw.row for flaw in got.bad]) == list(range(1, 100_001))


def test_a_file_of_nothing_but_unreadable_rows_comes_in_bounded_chunks(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes("a.jsonl", b"x\n" * (5 * bounds.RECORD_ROWS))
    assert [len(chunk.unreadable) for chunk in got.chunks] == [bounds.RECORD_ROWS] * 5
    assert got.values == []


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_the_position_grows_to_the_size_on_disk(
    pack: Callable[[bytes], bytes], read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes("a.csv", pack(table(400_000)))
    positions = [chunk.position for chunk in got.chunks]
    assert positions == sorted(positions)
    assert 0 < positions[0] < got.reader.size
    assert positions[-1] == got.reader.size


def test_a_record_that_is_open_where_the_file_is_cut_is_not_sent(
    tmp_path: Path, read: Callable[..., Any]
) -> None:
    noise = "".join(chr(0xAC00 + (number * 7919) % 11172) for number in range(60_000))
    data = f'a,b\n1,x\n2,"{noise}\n{noise[::-1]}"\n3,z\n'.encode()
    packed = gzip.compress(data)
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    got = read(path)
    assert got.values == [("1", "x")]
    assert [(flaw.row, flaw.line, flaw.rule) for flaw in got.bad] == [(2, 3, "row-unreadable")]
    assert got.bad[0].raw.startswith(b'2,"')
    assert len(got.bad[0].raw) == bounds.RAW_BYTES


def test_a_file_that_is_cut_in_its_header_is_refused_and_the_damage_named(
    tmp_path: Path, read: Callable[..., Any]
) -> None:
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(gzip.compress(table(10))[:14])
    with pytest.raises(SourceError, match=r"no header.*cut off"):
        read(path)


def test_a_line_past_the_bound_is_one_row_and_ends_an_open_record(
    read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = b"x" * (bounds.LINE_BYTES + 10)
    got = read_bytes("a.csv", b'a,b\n1,2\n3,"open\n' + long + b"\n4,5\n")
    assert got.values == [("1", "2"), ("4", "5")]
    assert got.lines == [2, 5]
    assert [(flaw.row, flaw.line) for flaw in got.bad] == [(2, 3), (3, 4)]
    assert "16,777,216 bytes" in got.bad[1].reason
    records = read_bytes("a.jsonl", b'{"a":1}\n' + long + b'\n{"a":2}\n')
    assert (records.lines, [flaw.line for flaw in records.bad]) == ([1, 3], [2])


def test_standard_input_is_not_read_before_it_is_spooled() -> None:
    with pytest.raises(SourceError, match="stdin"):
        open_source(Source("stdin", None), ReadSettings(format="csv"))


def test_a_file_that_is_gone_or_a_folder_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.csv: the file is gone"):
        open_source(Source("a.csv", tmp_path / "a.csv"), ReadSettings())
    with pytest.raises(SourceError, match="d: a folder"):
        open_source(Source("d", tmp_path), ReadSettings())


def test_our_own_columns_are_read_like_any_other(read_bytes: Callable[..., Any]) -> None:
    assert read_bytes("a.csv", b"a,_replay_id\n1,x:1\n").reader.header == ("a", "_replay_id")
