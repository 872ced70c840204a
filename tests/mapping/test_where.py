"""`[where]` takes the rows that a mapping is for; `[source]` says how they are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import breaches, fit, records, table

from replay.errors import MappingError
from replay.mapping import Mapping
from replay.settings import ReadSettings

if TYPE_CHECKING:
    from replay.records import Chunk

ROWS = [
    {"type": "track", "n": 5, "ok": True},
    {"type": "page", "n": 7, "ok": False},
    {"type": "tracking", "ok": None},
    {"n": 5.5},
]


def mapping(where: Any) -> Mapping:
    return Mapping.parse({"event": {"key": {"const": "k"}}, "where": where}, "m.toml")


def kept(chunk: Chunk, where: Any) -> list[int]:
    """The rows that are taken, by number."""
    return fit(chunk, mapping(where)).keep(chunk).rows.tolist()


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({"type": "track"}, [1]),
        ({"type": ["track", "page"]}, [1, 2]),
        ({"type": {"in": ["track", "page"]}}, [1, 2]),
        ({"column": "type", "in": ["track", "page"]}, [1, 2]),
        ([{"column": "type", "in": ["track"]}, {"column": "n", "in": [7]}], []),
        ({"type": ["track", "page"], "n": 7}, [2]),
        ({"column": "type", "present": True}, [1, 2, 3]),
        ({"column": "type", "present": False}, [4]),
        ({"column": "type", "matches": "track"}, [1]),
        ({"column": "type", "matches": "track.*"}, [1, 3]),
        ({"column": "n", "matches": "5.*"}, [1, 4]),
        ({"column": "type", "matches": "t.*", "in": ["tracking"]}, [3]),
        ({"n": "5"}, [1]),
        ({"ok": True}, [1]),
        ({"ok": "false"}, [2]),
    ],
)
def test_a_row_is_taken_where_every_condition_holds(where: Any, rows: list[int]) -> None:
    assert kept(records(*ROWS), where) == rows


def test_a_cell_is_compared_as_it_is_written() -> None:
    chunk = table(["type", "n"], ["track", "5"], ["page", "05"], ["", "5"])
    assert kept(chunk, {"n": 5}) == [1, 3]
    assert kept(chunk, {"type": {"present": False}}) == [3]
    assert kept(chunk, {"type": ["track"], "n": "5"}) == [1]


def test_a_path_goes_into_records_and_into_json_cells_and_toml_may_nest_it() -> None:
    for chunk in (
        records({"p": {"plan": "pro"}}, {"p": {"plan": "free"}}, {}),
        table(["k", "p"], ["1", '{"plan":"pro"}'], ["2", '{"plan":"free"}'], ["3", ""]),
    ):
        for where in ({"p": {"plan": "pro"}}, {"p.plan": "pro"}, {"column": "p.plan", "in": ["pro"]}):
            assert kept(chunk, where) == [1]


def test_a_row_for_which_a_condition_cannot_be_told_is_kept_and_never_sent() -> None:
    for chunk in (
        table(["k", "p"], ["1", "{"], ["2", '{"plan":"free"}']),
        records({"p": "{"}, {"p": {"plan": "free"}}),
    ):
        bound = fit(chunk, mapping({"p.plan": "pro"}))
        left = bound.keep(chunk)
        assert left.rows.tolist() == [1]
        assert breaches(bound.apply(left)) == [("cast-failed", "where", [0])]


def test_a_column_that_a_condition_names_is_still_sent() -> None:
    document = {"event": {"properties": {"*": "*"}}, "where": {"country": "KR"}}
    chunk = table(["country", "x"], ["KR", "1"])
    mapped = fit(chunk, Mapping.parse(document, "m")).apply(chunk)
    assert ("event", "properties", "country") in mapped.columns


def test_conditions_hold_for_sources_that_map_themselves() -> None:
    only = Mapping.parse({"where": {"event.key": "a"}}, "m")
    chunk = records({"event": {"key": "a"}, "user": {}}, {"event": {"key": "b"}, "user": {}})
    assert fit(chunk, only).keep(chunk).rows.tolist() == [1]
    chunk = table(["event.key", "user.userId"], ["a", "u"], ["b", "u"])
    assert fit(chunk, only).keep(chunk).rows.tolist() == [1]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (5, "no table"),
        ({"type": {}}, "says nothing of the column"),
        ({"column": "type", "in": "track"}, "write a list"),
        ({"column": "type", "in": [{}]}, "no value to compare with"),
        ({"type": ""}, "present = false"),
        ({"column": "type", "present": "yes"}, "write true or false"),
        ({"column": "type", "matches": "("}, "no expression"),
        ({"column": "type", "matches": 5}, "no expression"),
        ([{"column": "type"}], "says nothing of the column"),
        ([{"column": "type", "is": "track"}], "is is unknown"),
        (["type"], "names no column"),
        ({"type": {"column": "x", "in": ["a"]}}, "write the condition as a list"),
        ({"_replay_id": "x"}, "never data"),
    ],
)
def test_a_condition_that_cannot_be_meant_is_refused_in_words(where: Any, says: str) -> None:
    with pytest.raises(MappingError) as error:
        mapping(where)
    assert says in str(error.value)


def test_a_condition_on_a_column_that_is_not_there_is_refused_with_near_matches() -> None:
    with pytest.raises(MappingError, match="did you mean 'type'"):
        fit(table(["type"], ["a"]), mapping({"tpye": "a"}))
    chunk = records({"type": "a"})
    bound = fit(chunk, mapping({"tpye": "a"}))
    bound.keep(chunk)
    assert "did you mean 'type'" in bound.unseen()["tpye"]


def test_where_and_source_are_written_down_as_they_were_read() -> None:
    document = {
        "source": {"format": "tsv", "encoding": "cp949", "quotechar": "", "columns": ["a", "b"]},
        "where": [
            {"column": "a", "in": ["x", "5"]},
            {"column": "b", "present": True, "matches": "y+"},
        ],
        "event": {"key": "a"},
    }
    read = Mapping.parse(document, "m")
    assert read.document() == document
    assert Mapping.parse(read.document(), "again") == read
    assert read.read == ReadSettings(format="tsv", encoding="cp949", quotechar="", columns=("a", "b"))


def test_the_columns_of_a_table_may_be_written_as_the_option_takes_them() -> None:
    assert Mapping.parse({"source": {"columns": "a,b"}}, "m").read.columns == ("a", "b")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (5, "no table"),
        ({"encodng": "cp949"}, "did you mean 'encoding'"),
        ({"format": "xml"}, "[source]: format xml: not a format"),
        ({"format": 5}, "no text"),
        ({"delimiter": "ab"}, "one character"),
        ({"columns": []}, "write a list of names"),
        ({"columns": [5]}, "write a list of names"),
    ],
)
def test_a_source_table_that_cannot_be_meant_is_refused_in_words(source: Any, says: str) -> None:
    with pytest.raises(MappingError) as error:
        Mapping.parse({"source": source}, "m.toml")
    assert says in str(error.value)
    assert "m.toml" in str(error.value)


@settings(max_examples=200, deadline=None)
@given(
    cells=st.lists(st.sampled_from(["a", "b", "", "5", "true", "null"]), min_size=1, max_size=6),
    wanted=st.lists(st.sampled_from(["a", "5", True, 5, "b"]), min_size=1, max_size=3),
)
def test_a_table_and_records_of_the_same_texts_keep_the_same_rows(
    cells: list[str], wanted: list[Any]
) -> None:
    where = {"column": "c", "in": wanted}
    texts = [json.dumps(value) if not isinstance(value, str) else value for value in wanted]
    expected = [row for row, cell in enumerate(cells, 1) if cell in texts]
    assert kept(table(["c"], *[[cell] for cell in cells]), where) == expected
    assert kept(records(*[{"c": cell} for cell in cells]), where) == expected
