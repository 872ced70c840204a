"""JSON arrays and pages: each record stands by itself, whatever the documents around it look like."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.errors import SourceError, UsageError
from replay.settings import ReadSettings
from replay.source.documents import Documents

if TYPE_CHECKING:
    from collections.abc import Callable

UNREADABLE = "row-unreadable"


def records_of(
    data: bytes, path: tuple[str, ...] = (), piece: int = 1 << 18
) -> tuple[list[Any], list[int], list[int]]:
    """Values, lines, and lines of the rows that could not be read, however the data is cut in pieces."""
    documents = Documents("f", path)
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    stretches = list(documents.read(pieces))
    if documents.rest is not None:
        stretches.append(documents.lost(documents.reason, documents.rest))
    values = [value for stretch in stretches for value in stretch.frame[0]]
    lines = [int(line) for stretch in stretches for line in stretch.lines]
    rows = sorted(
        [int(row) for stretch in stretches for row in stretch.rows]
        + [flaw.row for stretch in stretches for flaw in stretch.unreadable]
    )
    assert rows == list(range(1, len(rows) + 1))
    return values, lines, [flaw.line for stretch in stretches for flaw in stretch.unreadable]


def test_an_array_gives_its_records_each_on_the_line_where_it_starts(read_bytes: Callable[..., Any]) -> None:
    data = b'\xef\xbb\xbf[\n  {"a": 1},\r\n  {\r\n    "a": 2\r\n  }, {"a": 3},\r\r{"a": "x\\ny"}\n]\n'
    got = read_bytes("a.json", data)
    assert got.values == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": "x\ny"}]
    assert (got.lines, got.rows, got.bad) == ([2, 3, 5, 7], [1, 2, 3, 4], [])
    assert (got.reader.format, got.reader.header, got.reader.delimiter) == ("json", (), None)


def test_the_bytes_of_a_record_are_kept_on_one_line(read_bytes: Callable[..., Any]) -> None:
    number = b"123456789012345678901234567890.10"
    got = read_bytes("a.json", b'[{"a":\n ' + number + b', "b": [1,\r\n2]}]')
    assert got.chunks[0].raw == [b'{"a":' + number + b',"b":[1,2]}']


def test_arrays_one_after_the_other_are_one_source(read_bytes: Callable[..., Any]) -> None:
    assert read_bytes("a.json", b'[{"a":1}]\n[]\n[{"a":2}] [{"a":3}]').rows == [1, 2, 3]
    assert read_bytes("a.json", b"[]").rows == []
    assert read_bytes("a.json", b" \n", format="json").rows == []


def test_pages_give_the_records_where_the_path_leads(read_bytes: Callable[..., Any]) -> None:
    pages = (
        b'{"next": 1, "data": {"other": [{"x": 0}], "items": [{"a": 1}, {"a": 2}]}, "tail": "]}"}\n'
        b'{"data": {"items": []}}\n{"data": {"items": null}}{"data":\n{"items":\n[{"a": 3}]}}'
    )
    got = read_bytes("a.jsonl", pages, records="data.items")
    assert (got.values, got.lines, got.bad) == ([{"a": 1}, {"a": 2}, {"a": 3}], [1, 1, 5], [])
    assert read_bytes("b.json", b'{"a.b": [{"c": 1}]}', records=r"a\.b").values == [{"c": 1}]


def test_a_page_without_its_array_is_one_unreadable_row_and_the_first_one_is_refused(
    read_bytes: Callable[..., Any],
) -> None:
    got = read_bytes(
        "a.json", b'{"records": [{"a": 1}]}\n{"error": "limit"}\n{"records": [{"a": 2}]}', records="records"
    )
    assert (got.values, got.bad_lines) == ([{"a": 1}, {"a": 2}], [(2, UNREADABLE)])
    assert (got.bad[0].raw[:9], got.bad[0].row) == (b'{"error":', 2)
    with pytest.raises(SourceError, match=r"a\.json: --records recods: .*no array there\. It has: records\."):
        read_bytes("a.json", b'{"records": [{"a": 1}]}', records="recods")
    with pytest.raises(SourceError, match=r"a JSON document that is no array.*--records PATH"):
        read_bytes("a.json", b'{"records": [{"a": 1}]}', format="json")


@pytest.mark.parametrize(
    ("element", "word"),
    [
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": 1,}', "."),
        (b"{'a': 1}", "."),
        (b'{"a": "\xc0\xb1"}', "decode"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a": 1e400}', "range of a double"),
        (b"7", "not an object"),
        (b"null", "not an object"),
        (b'"text, with ] and }"', "not an object"),
        (b"[[1]]", "not an object"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "128"),
        (b'{"a": 1 /* x */}', "."),
    ],
)
def test_a_broken_record_whose_end_is_found_costs_its_row_only(
    element: bytes, word: str, read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes("a.json", b'[{"a": "\xea\xb0\x80"},\n' + element + b',\n{"b": 1}\n]')
    assert (got.values, got.rows) == ([{"a": "가"}, {"b": 1}], [1, 3])
    assert [(flaw.row, flaw.line) for flaw in got.bad] == [(2, 2)]
    assert re.search(word, got.bad[0].reason)


@pytest.mark.parametrize(
    ("data", "values", "bad"),
    [
        (b'[{"a": 0},\n{"a": {"b": 1}, \n{"b": 2}\n]', [{"a": 0}], [2]),
        (b'[{"a": 0},\n,\n{"b": 2}]', [{"a": 0}], [2]),
        (b'[{"a": 0},\n{"a": "open}, {"b": 2}]', [{"a": 0}], [2]),
        (b'[{"a": 0}\n{"a": 1}]', [{"a": 0}], [2]),
        (b'[{"a": 0},\n{"a": 1}', [{"a": 0}, {"a": 1}], [2]),
        (b'[{"a": 0},\n', [{"a": 0}], [2]),
        (b'[{"a": 0}]\nrest', [{"a": 0}], [2]),
        (b'[{"a": 0}, ]', [{"a": 0}], [1]),
        (b'[{"a": 0}]]', [{"a": 0}], [1]),
    ],
)
def test_where_no_end_is_found_the_rest_is_one_unreadable_row(
    data: bytes, values: list[Any], bad: list[int], read_bytes: Callable[..., Any]
) -> None:
    got = read_bytes("a.json", data, format="json")
    assert got.values == values
    assert [flaw.line for flaw in got.bad] == bad
    assert got.reader.fingerprint.length == len(data)


def test_a_page_that_breaks_off_gives_its_records_before_that(read_bytes: Callable[..., Any]) -> None:
    for data in (
        b'{"r": [{"a": 1}], "next"',
        b'{"r": [{"a": 1}], ',
        b'{"r": [{"a": 1}]',
        b'{"r": [{"a": 1}], "x": tr',
    ):
        got = read_bytes("a.json", data, records="r")
        assert (got.values, len(got.bad)) == ([{"a": 1}], 1)
    got = read_bytes("a.json", b'{"r": [{"a": 1}], "r": [{"a": 2}]}', records="r")
    assert (got.values, "twice" in got.bad[0].reason) == ([{"a": 1}], True)


def test_a_damaged_array_gives_its_whole_records_and_one_row_that_names_the_damage(
    read_bytes: Callable[..., Any],
) -> None:
    records = [{"n": n, "text": f"{n * 7919 % 10007:05d}" * 3} for n in range(4000)]
    packed = gzip.compress(json.dumps(records).encode())
    got = read_bytes("a.json.gz", packed[: len(packed) // 2])
    assert got.values == records[: len(got.values)]
    assert len(got.values) > 500
    assert [(flaw.row, "cut off" in flaw.reason) for flaw in got.bad] == [(len(got.values) + 1, True)]
    assert got.reader.is_cut
    plain = json.dumps(records).encode()[: got.reader.whole_bytes]
    assert plain.endswith(b"}")
    assert plain.count(b"{") == len(got.values)


def test_a_record_longer_than_the_bound_ends_the_reading_in_words(
    read_bytes: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.source.bounds.LINE_BYTES", 1 << 20)
    got = read_bytes("a.json", b'[{"a":1},{"a":"' + b"x" * (2 << 20) + b'"},{"a":3}]')
    assert (got.values, [len(flaw.raw) <= 65536 for flaw in got.bad]) == ([{"a": 1}], [True])
    assert "more than" in got.bad[0].reason


def test_other_encodings_are_read_by_their_mark(read_bytes: Callable[..., Any]) -> None:
    assert read_bytes("a.json", '[{"이름": "가"}]'.encode("utf-16")).values == [{"이름": "가"}]


@pytest.mark.parametrize(
    "settings", [{"records": ""}, {"records": "a..b"}, {"records": "a", "format": "csv"}]
)
def test_a_path_that_is_none_is_wrong_usage(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="--records"):
        ReadSettings(**settings)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ['"', "\\", "}]", '{"a":', ",\n", "\\u0041"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=6)


@settings(deadline=None)
@given(RECORDS, st.sampled_from([None, 0, 2]), st.booleans(), st.integers(1, 40))
def test_what_json_wrote_comes_back_record_by_record_at_any_piece_size(
    records: list[Any], indent: int | None, ascii_only: bool, piece: int
) -> None:
    text = json.dumps(records, indent=indent, ensure_ascii=ascii_only)
    values, lines, bad = records_of(text.encode(), (), piece)
    assert (values, bad) == (json.loads(text), [])
    page = json.dumps(
        {"x": records, "p": {"r": records}, "y": [[{}]]}, indent=indent, ensure_ascii=ascii_only
    )
    both = (page + " " + page).encode()
    paged, page_lines, bad = records_of(both, ("p", "r"), piece)
    assert (paged, bad) == (json.loads(text) * 2, [])
    assert records_of(both, ("p", "r"), len(both))[:2] == (paged, page_lines)
    assert records_of(text.encode(), (), 1 << 16)[1] == lines


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_any_bytes_give_the_same_rows_at_any_piece_size_and_never_a_crash(tail: bytes, piece: int) -> None:
    data = b'[{"a": 1}, ' + tail
    assert records_of(data, (), piece) == records_of(data, (), len(data))
