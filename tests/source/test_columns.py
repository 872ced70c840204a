"""Tables without a header: the user names the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replay.errors import UsageError
from replay.settings import ReadSettings, parse_columns

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_first_line_is_a_row_and_the_names_are_those_given(read_bytes: Callable[..., Any]) -> None:
    got = read_bytes("a.csv", b"\n1,2\n3,\n", columns=("a", "b"))
    assert (got.reader.header, got.values) == (("a", "b"), [("1", "2"), ("3", "")])
    assert (got.rows, got.lines, got.bad) == ([1, 2], [2, 3], [])
    assert read_bytes("b.csv", b"", columns=("a", "b")).rows == []


def test_a_row_of_another_width_is_told_of_and_the_first_is_no_exception(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes("a.csv", b'1,2,3\n"x\n3,4\n', columns=("a", "b"))
    assert got.values == [("3", "4")]
    assert got.bad_lines == [(1, "row-fields"), (2, "row-unreadable")]


def test_without_quoting_a_quote_is_a_character_in_any_cell(read_bytes: Callable[..., Any]) -> None:
    data = b'7\t{"a":"b"}\t"half\n8\t"\t\n'
    got = read_bytes("atomic", data, columns=("id", "contexts", "name"), quotechar="")
    assert got.values == [("7", '{"a":"b"}', '"half'), ("8", '"', "")]
    assert (got.reader.delimiter, got.reader.quotechar) == ("\t", "")


def test_a_table_whose_first_line_is_these_very_names_has_a_header(read_bytes: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"a\.csv: its first line is these very names.*Leave --columns out"):
        read_bytes("a.csv", b"a,b\n1,2\n", columns=("a", "b"))


def test_records_have_no_columns_to_name(read_bytes: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"a\.jsonl: jsonl has no columns to name"):
        read_bytes("a.jsonl", b'{"a":1}\n', columns=("a",))


def test_names_are_read_as_a_line_of_a_csv() -> None:
    assert parse_columns('a, b,"c,d"') == ("a", "b", "c,d")
    assert ReadSettings(columns=["a", "b"]).columns == ("a", "b")  # type: ignore[arg-type]  # as a record on disk has it


@pytest.mark.parametrize("columns", [(), ("a", ""), ("a", "a")])
def test_columns_without_a_name_of_their_own_are_wrong_usage(columns: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--columns"):
        ReadSettings(columns=columns)
    with pytest.raises(UsageError, match="--columns"):
        ReadSettings(columns=("a",), format="jsonl")
