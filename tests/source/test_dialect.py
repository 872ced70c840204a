from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replay.errors import SourceError, UsageError
from replay.settings import ReadSettings
from replay.source.dialect import dialect_of, format_of

if TYPE_CHECKING:
    from collections.abc import Callable


def delimiter(text: str, form: Any = "csv", **settings: Any) -> str:
    lines = text.encode().splitlines(keepends=True)
    return dialect_of(form, lines, ReadSettings(**settings)).delimiter


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n1,5;2,5\n", ";"),
        ("a\tb\n1,2\t3\n", "\t"),
        ('id|payload\n1|{"a":1,"b":2}\n', "|"),
        ("Name, first|Age|City\nKim|3|Seoul\nLee|4|Busan\n", "|"),
        ('a,"b;c;d"\n1,2\n', ","),
        ("only\n1;2\n", ","),
        ("a,b,c\n1,2,3,4\n", ","),
        ("a\n", ","),
    ],
)
def test_the_delimiter_is_the_one_by_which_records_are_as_wide_as_the_header(text: str, found: str) -> None:
    assert delimiter(text) == found


def test_a_tsv_file_is_divided_by_tabs_unless_that_gives_one_column() -> None:
    assert delimiter("a\tb,c,d\n1\t2,3,4\n", "tsv") == "\t"
    assert delimiter("a,b\n1,2\n", "tsv") == ","


def test_a_named_delimiter_and_quote_character_are_taken_as_they_are(read_bytes: Callable[..., Any]) -> None:
    assert delimiter("a,b\n", delimiter=";") == ";"
    got = read_bytes("a.csv", "a^b\n'x^y'^2\n\"q\"^¦\n".encode(), delimiter="^", quotechar="'")
    assert got.values == [("x^y", "2"), ('"q"', "¦")]
    wide = read_bytes("a.csv", "a¦b\n1¦2\n".encode(), delimiter="¦")
    assert (wide.reader.header, wide.values) == (("a", "b"), [("1", "2")])
    with pytest.raises(UsageError, match="the same as the quote character"):
        delimiter("a,b\n", delimiter="'", quotechar="'")


@pytest.mark.parametrize(
    ("name", "head", "form"),
    [
        ("a.csv", b'{"a":1}\n', "csv"),
        ("A.TSV.GZ", b"", "tsv"),
        ("a.jsonl.zst", b"[1]\n", "jsonl"),
        ("a.ndjson", b"", "jsonl"),
        ("a.json", b'\n {"a":1}\n{"a":2}\n', "jsonl"),
        ("a.json", b'{"a":\n{"a":2}\n', "jsonl"),
        ("a.json", b'{"a":', "jsonl"),
        ("a.json", b'[{"a":1}]', "json"),
        ("a.json", b'\n[\n{"a":1}\n]', "json"),
        ("export", b"[]", "json"),
        ("export", b"[user_id],{event_name}\n", "csv"),
        ("export", b"{event_name},[user_id]\n", "csv"),
        ("part-0001", b"a,b\n", "csv"),
        ("part-0001", b"", "csv"),
    ],
)
def test_the_format_is_told_by_the_name_and_else_by_the_first_bytes(
    name: str, head: bytes, form: str
) -> None:
    assert format_of(name, head, ReadSettings()) == form


def test_the_format_that_the_user_names_wins() -> None:
    assert format_of("a.csv", b"[", ReadSettings(format="jsonl")) == "jsonl"


def test_one_json_object_over_several_lines_is_refused_and_the_arrays_in_it_are_named() -> None:
    head = b'{\n  "next": 2,\n  "records": [\n    {"a": 1}\n  ]\n}\n'
    with pytest.raises(
        SourceError, match=r"a\.json: .*--records PATH \(records, perhaps\).*one object a line"
    ):
        format_of("a.json", head, ReadSettings())


def test_a_path_to_records_makes_any_file_one_of_json_documents() -> None:
    assert format_of("pages.jsonl", b'{"records":[]}', ReadSettings(records="records")) == "json"


def test_what_is_called_parquet_and_is_none_is_refused() -> None:
    with pytest.raises(SourceError, match="not a Parquet file"):
        format_of("a.bin", b"a,b\n", ReadSettings(format="parquet"))


def test_among_delimiters_the_one_is_taken_by_which_rows_have_the_columns_that_were_named() -> None:
    assert delimiter("1,5;2\n1,5;2\n", columns=("a", "b")) in ",;"
    assert delimiter("1;2,5;3\n1;2,5;3\n", columns=("a", "b", "c")) == ";"
    assert delimiter("1\t2\n", "tsv", columns=("a", "b")) == "\t"


def test_a_header_may_run_over_lines_and_the_rows_after_it_keep_their_lines(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes("a.csv", b'\n"a\nb",c\r\n1,2\n\n3,4')
    assert got.reader.header == ("a\nb", "c")
    assert got.lines == [4, 6]


def test_a_header_that_cannot_be_read_is_refused_with_its_line(read_bytes: Callable[..., Any]) -> None:
    with pytest.raises(SourceError, match=r"a\.csv: line 2: the header cannot be read: text follows"):
        read_bytes("a.csv", b'\n"a"x,b\n1,2\n')
    with pytest.raises(SourceError, match="never closes"):
        read_bytes("a.csv", b'"a,b\n1,2\n')


def test_a_header_without_rows_and_without_a_line_end_is_a_header(read_bytes: Callable[..., Any]) -> None:
    got = read_bytes("a.csv", b"a,b")
    assert (got.reader.header, got.chunks) == (("a", "b"), [])
