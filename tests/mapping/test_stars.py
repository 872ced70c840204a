"""What stands behind "*": the other columns, members of objects, pairs; and several of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import apply, assigned, breaches, fit, records, table, values

from replay.errors import MappingError
from replay.mapping import Mapping, bodies
from replay.records import Chunk, Mapped

ODD = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
PLAIN = st.one_of(st.text(min_size=1, max_size=5), st.integers(), st.booleans())


def star(chunk: Chunk, source: Any, **named: Any) -> Mapped:
    properties = {**named, "*": source}
    return apply(chunk, Mapping.parse({"event": {"properties": properties}}, "m.toml"))


def properties(mapped: Mapped, place: int = 0) -> dict[str, Any]:
    """The event's properties that one row has."""
    return {
        target[2]: values(mapped, *target)[place]
        for target in mapped.columns
        if target[:2] == ("event", "properties") and place in values(mapped, *target)
    }


def refusal(chunk: Chunk, source: Any) -> str:
    with pytest.raises(MappingError) as error:
        star(chunk, source)
    return str(error.value)


GA4 = [
    {"key": "s", "value": {"string_value": "KRW"}},
    {"key": "i", "value": {"int_value": "9007199254740993"}},
    {"key": "j", "value": {"string_value": None, "int_value": "-7", "float_value": None}},
    {"key": "d", "value": {"double_value": 1.5, "set_timestamp_micros": "17"}},
    {"key": "f", "value": {"float_value": 0.5}},
    {"key": "none", "value": {"set_timestamp_micros": "17"}},
    {"key": "zero", "value": {"int_value": "007"}},
]


def test_pairs_are_unpacked_and_an_int_value_is_the_integer_that_it_spells() -> None:
    mapped = star(records({"params": GA4}, {"params": []}, {"params": None}, {}), {"pairs": "params"})
    assert properties(mapped) == {"s": "KRW", "i": 9007199254740993, "j": -7, "d": 1.5, "f": 0.5, "zero": 7}
    assert mapped.findings == []
    assert properties(mapped, 1) == properties(mapped, 2) == {}


def test_pairs_may_be_keys_or_names_with_plain_values_in_records_and_in_cells() -> None:
    pairs = [{"key": "a", "value": 1}, {"name": "b", "value": "x"}, {"name": "c", "string_value": "y"}]
    for chunk in (
        records({"p": pairs}),
        table(["p"], [json.dumps(pairs)]),
        records({"p": json.dumps(pairs)}),
    ):
        assert properties(star(chunk, {"pairs": "p"})) == {"a": 1, "b": "x", "c": "y"}


def test_of_a_key_that_comes_twice_the_last_value_holds() -> None:
    pairs = [{"key": "a", "value": 1}, {"key": "a", "value": 2}]
    assert properties(star(records({"p": pairs}), {"pairs": "p"})) == {"a": 2}


@pytest.mark.parametrize("wrong", [{"a": 1}, "text", 5, [1], [{"value": 1}], [{"key": 5, "value": 1}], "[{"])
def test_what_is_no_array_of_pairs_makes_the_row_invalid(wrong: Any) -> None:
    mapped = star(records({"p": wrong}, {"p": [{"key": "a", "value": 1}]}), {"pairs": "p"})
    assert breaches(mapped) == [("cast-failed", "event.properties.*", [0])]
    assert properties(mapped, 1) == {"a": 1}


def test_the_members_of_an_object_are_taken_whether_it_is_one_or_a_text_of_json() -> None:
    inside = {"amount": 5, "coupon": "0010", "big": 12345678901234567890, "gone": None, "": 1}
    for chunk in (
        records({"props": inside}),
        records({"props": json.dumps(inside)}),
        table(["props"], [json.dumps(inside)]),
    ):
        assert properties(star(chunk, "props.*")) == {
            "amount": 5,
            "coupon": "0010",
            "big": 12345678901234567890,
            "": 1,
        }


def test_members_that_something_else_names_are_not_taken_again() -> None:
    chunk = records({"props": {"time": 1, "id": "x", "deep": {"a": 1}, "kept": 2}})
    mapping = Mapping.parse(
        {
            "event": {"properties": {"*": "props.*", "a": "props.deep.a"}},
            "user": {"userId": "props.id"},
            "time": {"column": "props.time", "unit": "s"},
        },
        "m",
    )
    assert properties(apply(chunk, mapping)) == {"a": 1, "kept": 2}


def test_an_empty_cell_a_null_and_the_word_null_have_no_members() -> None:
    chunk = table(["k", "props"], ["a", ""], ["b", "null"], ["c", "{}"])
    assert star(chunk, "props.*").findings == []
    assert star(records({"props": None}, {"props": {}}), "props.*").findings == []


@pytest.mark.parametrize("cell", ["{", '{"a":1,"a":2}', "text", "5", "[1]"])
def test_what_is_no_object_makes_the_row_invalid(cell: str) -> None:
    for chunk in (table(["props"], [cell]), records({"props": cell})):
        mapped = star(chunk, "props.*")
        assert breaches(mapped) == [("cast-failed", "event.properties.*", [0])]


def test_what_is_excepted_is_not_sent() -> None:
    chunk = table(["e", "email", "x"], ["k", "a@b.c", "1"])
    assert properties(star(chunk, {"except": ["email"]}, key="e")) == {"key": "k", "x": "1"}
    chunk = records({"e": "k", "email": "a@b.c", "x": 1})
    assert properties(star(chunk, {"except": ["email"]}, key="e")) == {"key": "k", "x": 1}
    assert properties(star(records({"p": {"email": 1, "x": 2}}), {"column": "p.*", "except": ["email"]})) == {
        "x": 2
    }
    pairs = [{"key": "email", "value": 1}, {"key": "x", "value": 2}]
    assert properties(star(records({"p": pairs}), {"pairs": "p", "except": ["email"]})) == {"x": 2}


def test_an_exception_that_is_not_there_is_a_slip_of_the_pen() -> None:
    assert "did you mean 'email'" in refusal(table(["email"], ["a"]), {"except": ["emial"]})
    for record, source in (
        ({"p": {"email": 1}}, {"column": "p.*", "except": ["emial"]}),
        ({"p": [{"key": "email", "value": 1}]}, {"pairs": "p", "except": ["emial"]}),
        ({"email": 1}, {"except": ["emial"]}),
    ):
        mapping = Mapping.parse({"event": {"properties": {"*": source}}}, "m")
        bound = fit(records(record), mapping)
        bound.apply(records(record))
        assert len(bound.unseen()) == 1
        right = Mapping.parse(json.loads(json.dumps(mapping.document()).replace("emial", "email")), "m")
        bound = fit(records(record), right)
        bound.apply(records(record))
        assert bound.unseen() == {}


def test_several_sources_stand_side_by_side_and_the_first_that_has_a_name_wins_row_by_row() -> None:
    chunk = records(
        {"a": 1, "p": {"a": 2, "b": 3}, "q": [{"key": "c", "value": 4}]}, {"p": {"a": 5}, "q": []}
    )
    both = star(chunk, ["*", "p.*", {"pairs": "q"}])
    assert (properties(both), properties(both, 1)) == ({"a": 1, "b": 3, "c": 4}, {"a": 5})
    turned = star(chunk, ["p.*", "*"])
    assert properties(turned)["a"] == 2
    cells = table(["a", "p"], ["x", '{"a":1,"b":2}'], ["", '{"a":3}'])
    both = star(cells, ["*", "p.*"])
    assert (properties(both), properties(both, 1)) == ({"a": "x", "b": 2}, {"a": 3})


def test_what_is_unpacked_is_cast_to_the_type_that_is_given() -> None:
    chunk = table(["p"], ['{"a":"5","b":"007"}'])
    for source in ({"column": "p.*", "type": "auto"}, "p.*:auto"):
        assert properties(star(chunk, source)) == {"a": 5, "b": "007"}
    assert properties(star(table(["a", "b"], ["5", "x"]), "*:auto")) == {"a": 5, "b": "x"}
    mapped = star(table(["a"], ["x"]), "*:number")
    assert breaches(mapped) == [("cast-failed", "event.properties.a", [0])]


def test_identifiers_that_a_star_brings_are_texts() -> None:
    mapping = Mapping.parse({"user": {"identifiers": {"*": "ids.*"}}}, "m")
    mapped = apply(records({"ids": {"a": 5, "b": True}}), mapping)
    assert values(mapped, "user", "identifiers", "a") == {0: "5"}
    assert breaches(mapped) == [("type-wrong", "user.identifiers.b", [0])]


def test_an_object_that_is_not_there_is_refused_unless_it_is_optional() -> None:
    assert "no column 'prps'" in refusal(table(["props"], ["{}"]), "prps.*")
    assert star(table(["props"], ["{}"]), {"column": "prps.*", "optional": True}).columns == {}
    assert star(table(["props"], ["{}"]), {"pairs": "prps", "optional": True}).columns == {}
    mapping = assigned("event.properties.*=prps.*")
    bound = fit(records({"props": {}}), mapping)
    bound.apply(records({"props": {}}))
    assert "did you mean 'props'" in bound.unseen()["prps"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("props", "stands for every other column"),
        (".*", "stands for every other column"),
        ([], "an empty list takes nothing"),
        (5, "{ pairs = … }"),
        ({"pairs": 5}, "no column's name"),
        ({"pairs": "p", "excpt": ["a"]}, "did you mean 'except'"),
        ({"except": "email"}, "write a list of names"),
        ({"column": "p.*", "type": "numbr"}, "did you mean 'number'"),
        ({"column": "p.*", "optional": 1}, "write true or false"),
    ],
)
def test_a_star_that_cannot_be_meant_is_refused_in_words(source: Any, says: str) -> None:
    assert says in refusal(records({"p": {}}), source)


def test_many_values_do_not_stand_behind_one_target() -> None:
    with pytest.raises(MappingError, match='Write it behind "\\*"'):
        Mapping.parse({"event": {"properties": {"a": {"pairs": "p"}}}}, "m")


def test_an_optional_column_may_be_missing_and_its_default_stands_then() -> None:
    source = {"a": {"column": "x", "optional": True}, "b": {"column": "y", "optional": True, "default": 1}}
    mapping = Mapping.parse({"event": {"properties": source}}, "m")
    for chunk in (table(["k"], ["v"]), records({"k": "v"})):
        bound = fit(chunk, mapping)
        assert properties(bound.apply(chunk)) == {"b": 1}
        assert bound.unseen() == {}


def test_a_join_is_the_text_of_all_its_columns_where_a_row_has_all_of_them() -> None:
    mapping = Mapping.parse({"user": {"userId": {"join": ["country", "id"], "with": "-"}}}, "m")
    mapped = apply(table(["country", "id"], ["KR", "007"], ["KR", ""], ["", "1"]), mapping)
    assert values(mapped, "user", "userId") == {0: "KR-007"}
    mapped = apply(records({"country": "KR", "id": 7}, {"country": True, "id": 1.5}, {"id": 1}), mapping)
    assert values(mapped, "user", "userId") == {0: "KR-7", 1: "true-1.5"}
    mapped = apply(records({"country": "KR", "id": [1]}), mapping)
    assert breaches(mapped) == [("type-wrong", "user.userId", [0])]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"join": ["a"]}, "two columns or more"),
        ({"join": "a"}, "two columns or more"),
        ({"join": ["a", 5]}, "no column's name"),
        ({"join": ["a", "b"], "with": 5}, "no text"),
        ({"join": ["a", "b"], "wth": "-"}, "did you mean 'with'"),
    ],
)
def test_a_join_that_cannot_be_meant_is_refused_in_words(source: Any, says: str) -> None:
    with pytest.raises(MappingError) as error:
        Mapping.parse({"user": {"userId": source}}, "m")
    assert says in str(error.value)


def test_a_joined_column_that_is_not_there_is_refused_with_near_matches() -> None:
    with pytest.raises(MappingError, match="did you mean 'country'"):
        fit(
            table(["country", "id"], ["a", "b"]),
            Mapping.parse({"event": {"key": {"join": ["contry", "id"]}}}, "m"),
        )


def test_every_shape_is_written_down_as_it_was_read() -> None:
    document = {
        "event": {
            "key": {"join": ["a", "b"], "with": "-"},
            "value": {"column": "v", "type": "number", "format": "1.234,56", "trim": True},
            "properties": {
                "x": {"column": "y", "default": "z", "lower": True, "optional": True},
                "*": [
                    "*",
                    {"column": "p.*", "type": "auto", "except": ["e"]},
                    {"pairs": "q", "optional": True},
                ],
            },
        },
        "user": {"properties": {"*": {"column": "*", "except": ["email"]}}},
    }
    mapping = Mapping.parse(document, "m")
    assert mapping.document() == document
    assert Mapping.parse(mapping.document(), "again") == mapping


@settings(max_examples=250, deadline=None)
@given(members=st.dictionaries(ODD, PLAIN, min_size=1, max_size=5))
def test_pairs_give_what_the_members_of_an_object_give(members: dict[str, Any]) -> None:
    members = {name: value for name, value in members.items() if value != ""}
    pairs = [{"key": name, "value": value} for name, value in members.items()]
    as_pairs = star(records({"p": pairs}), {"pairs": "p"})
    as_members = star(records({"p": members}), "p.*")
    assert properties(as_pairs) == properties(as_members) == members


@settings(max_examples=250, deadline=None)
@given(names=st.lists(ODD, min_size=1, max_size=4), value=PLAIN)
def test_a_path_finds_what_stands_there_whatever_its_names_are(names: list[str], value: Any) -> None:
    record: Any = value
    for name in reversed(names):
        record = {name: record}
    if names[0].startswith("_replay") or any(name.endswith("\\") for name in names):
        return  # our own notes; and a name that ends in a backslash cannot be written before a dot
    text = ".".join(name.replace(".", "\\.") for name in names)
    source = {"column": text}
    mapping = Mapping.parse({"event": {"properties": {"p": source}}}, "m")
    for chunk in (records(record), records({names[0]: json.dumps(record[names[0]])})):
        mapped = apply(chunk, mapping)
        if len(names) > 1 or chunk.record(0) == record:
            assert properties(mapped) == {"p": value}


def test_a_body_holds_what_a_star_brought_in_the_rows_that_have_it() -> None:
    chunk = records({"e": "k", "p": {"a": 1}}, {"e": "k", "p": {"b": "x"}})
    mapping = Mapping.parse(
        {"event": {"key": "e", "properties": {"*": "p.*"}}, "user": {"userId": {"const": "u"}}}, "m"
    )
    mapped = apply(chunk, mapping)
    made = [json.loads(body) for body in bodies(mapped, np.ones(2, dtype=np.bool_)) if body]
    assert [one["event"]["properties"] for one in made] == [{"a": 1}, {"b": "x"}]
