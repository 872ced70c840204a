from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import apply, assigned, breaches, records, table

from replay.mapping import Mapping, bodies


def made(mapped: Any, keep: list[bool] | None = None) -> list[bytes | None]:
    return bodies(mapped, np.array([True] * mapped.size if keep is None else keep, dtype=bool))


def round_trip(*rows: Any) -> list[bytes | None]:
    return made(apply(records(*rows), None))


EXAMPLE = {
    "event": {
        "key": "purchase",
        "value": 42000,
        "properties": {"paymentMethod": "카드", "discountAmount": 420},
    },
    "user": {
        "userId": "19285035",
        "deviceId": "ae2182e0",
        "identifiers": {"sessionId": "16930492542"},
        "properties": {"grade": "GOLD", "age": 30, "isLogin": True, "tags": ["a", 1]},
    },
}


def test_a_record_of_the_apis_shape_goes_out_as_it_is_compact_and_in_utf_8() -> None:
    assert round_trip(EXAMPLE) == [msgspec.json.encode(EXAMPLE)]


def test_members_go_out_in_the_order_of_the_documentation() -> None:
    mapping = assigned(
        "user.properties.p=@1", "user.identifiers.i=@2", "user.id=@3", "user.deviceId=@4", "user.userId=@5",
        "event.properties.q=@6", "event.value=@7", "event.key=@8",
    )  # fmt: skip
    assert made(apply(table(["a"], [""]), mapping)) == [
        b'{"event":{"key":"8","value":7,"properties":{"q":"6"}},'
        b'"user":{"userId":"5","deviceId":"4","id":"3","identifiers":{"i":"2"},"properties":{"p":"1"}}}'
    ]


def test_what_is_absent_is_left_out_object_and_all() -> None:
    mapping = assigned("event.key=e", "event.properties.p=p", "user.userId=u", "user.properties.g=g")
    chunk = table(["e", "p", "u", "g"], ["k", "", "u", ""], ["", "p", "", "g"], ["", "", "", ""])
    assert made(apply(chunk, mapping)) == [
        b'{"event":{"key":"k"},"user":{"userId":"u"}}',
        b'{"event":{"properties":{"p":"p"}},"user":{"properties":{"g":"g"}}}',
        b'{"event":{},"user":{}}',
    ]


def test_rows_that_are_not_kept_have_no_body() -> None:
    chunk = table(["e", "p"], ["a", ""], ["b", "1"], ["c", ""], ["d", "2"])
    mapped = apply(chunk, assigned("event.key=e", "event.properties.p=p"))
    assert made(mapped, [False, True, False, True]) == [
        None,
        b'{"event":{"key":"b","properties":{"p":"1"}},"user":{}}',
        None,
        b'{"event":{"key":"d","properties":{"p":"2"}},"user":{}}',
    ]
    assert made(mapped, [False] * 4) == [None] * 4


def test_an_empty_object_of_the_record_stays_and_a_null_goes() -> None:
    first = {
        "event": {"key": "k", "properties": {}},
        "user": {"userId": "u", "identifiers": {}, "properties": None},
    }
    second = {
        "event": {"key": "k", "properties": {"a": ""}},
        "user": {"userId": "u", "identifiers": {"i": "1"}},
    }
    assert round_trip(first, second) == [
        b'{"event":{"key":"k","properties":{}},"user":{"userId":"u","identifiers":{}}}',
        b'{"event":{"key":"k","properties":{"a":""}},"user":{"userId":"u","identifiers":{"i":"1"}}}',
    ]


def test_key_and_identifiers_are_text_and_an_integer_becomes_its_digits() -> None:
    first = {"event": {"key": 5}, "user": {"userId": 12345678901234567890, "identifiers": {"i": 7}}}
    second = {"event": {"key": 1.5}, "user": {"userId": True, "deviceId": "d", "identifiers": {"i": ["x"]}}}
    mapped = apply(records(first, second), None)
    assert made(mapped, [True, False])[0] == (
        b'{"event":{"key":"5"},"user":{"userId":"12345678901234567890","identifiers":{"i":"7"}}}'
    )
    assert breaches(mapped) == [
        ("type-wrong", "event.key", [1]),
        ("type-wrong", "user.userId", [1]),
        ("type-wrong", "user.identifiers.i", [1]),
    ]


def test_a_column_of_which_nothing_can_be_taken_is_no_column() -> None:
    mapped = apply(records({"event": {"key": 1.5}, "user": {"userId": True}}), None)
    assert mapped.columns == {}


def test_text_is_wanted_of_mapped_records_too() -> None:
    mapped = apply(
        records({"e": 1.5, "u": 5}, {"e": "k", "u": None}), assigned("event.key=e", "user.userId=u")
    )
    assert breaches(mapped) == [("type-wrong", "event.key", [0])]
    assert made(mapped)[1] == b'{"event":{"key":"k"},"user":{}}'


@pytest.mark.parametrize(
    ("record", "rule", "field"),
    [
        ({"event": 5, "user": {}}, "type-wrong", "event"),
        ({"event": {}, "user": "u"}, "type-wrong", "user"),
        ({"event": {"properties": [1]}, "user": {}}, "type-wrong", "event.properties"),
        ({"event": {}, "user": {"identifiers": "x"}}, "type-wrong", "user.identifiers"),
        ({"event": {}, "user": {}, "time": 5}, "field-unknown", "time"),
        ({"event": {"insert.id": 5}, "user": {}}, "field-unknown", r"event.insert\.id"),
        ({"event": {}, "user": {"name": 5}}, "field-unknown", "user.name"),
    ],
)
def test_a_member_of_the_wrong_shape_or_name_is_found_and_left_out(
    record: Any, rule: str, field: str
) -> None:
    mapped = apply(records(EXAMPLE, record), None)
    assert breaches(mapped) == [(rule, field, [1])]
    assert made(mapped)[1] == b'{"event":{},"user":{}}'


def test_our_own_notes_in_a_failed_record_are_passed_over() -> None:
    mapped = apply(records({**EXAMPLE, "_replay": {"id": "x"}}), None)
    assert mapped.findings == []
    assert made(mapped) == [msgspec.json.encode(EXAMPLE)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(st.text(max_size=3), json_values, max_size=4)
names = st.text()


@st.composite
def api_records(draw: st.DrawFn) -> dict[str, Any]:
    event = {
        "key": draw(names),
        "value": draw(st.none() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)),
        "properties": draw(st.none() | objects),
    }
    user = {
        "userId": draw(st.none() | names),
        "identifiers": draw(st.none() | st.dictionaries(st.text(max_size=3), names, max_size=3)),
        "properties": draw(st.none() | objects),
    }
    return {"event": event, "user": user}


def without_nulls(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


@settings(deadline=None)
@given(st.lists(api_records(), min_size=1, max_size=6), st.data())
def test_bodies_put_together_by_column_say_what_each_record_says(
    rows: list[Any], data: st.DataObject
) -> None:
    keep = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    encode = msgspec.json.Encoder(decimal_format="number").encode
    for row, kept, body in zip(rows, keep, made(apply(records(*rows), None), keep), strict=True):
        assert (body is not None) == kept
        if body is not None:
            assert decode(body) == decode(encode(pruned(row)))


def pruned(record: dict[str, Any]) -> dict[str, Any]:
    """The record without nulls, and without the objects that lose their last member so."""
    sides = {}
    for side, members in record.items():
        kept = without_nulls(members)
        for name in ("properties", "identifiers"):
            if kept.get(name):
                inner = without_nulls(kept[name])
                kept = {**kept, name: inner} if inner else {k: v for k, v in kept.items() if k != name}
        sides[side] = kept
    return sides


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=6))
def test_any_text_of_a_cell_arrives_as_it_is(rows: list[tuple[str, str]]) -> None:
    mapped = apply(table(["a", "b"], *map(list, rows)), assigned("event.key=a", "event.properties.b=b"))
    for (key, text), body in zip(rows, made(mapped), strict=True):
        assert body is not None
        event: dict[str, Any] = {"key": key} if key else {}
        if text:
            event["properties"] = {"b": text}
        assert body == msgspec.json.encode({"event": event, "user": {}})


def test_a_self_mapping_is_used_where_the_mapping_names_no_field() -> None:
    assert made(apply(records(EXAMPLE), Mapping.parse({"rules": {"field-unknown": "off"}}, "m"))) == [
        msgspec.json.encode(EXAMPLE)
    ]


@settings(deadline=None)
@given(st.lists(api_records(), min_size=1, max_size=6))
def test_a_row_has_the_same_body_whatever_the_others_lack(rows: list[Any]) -> None:
    alone = [made(apply(records(row), None))[0] for row in rows]
    together = made(apply(records(*rows, {"event": {}, "user": {}}), None))
    decode = msgspec.json.Decoder(float_hook=Decimal).decode
    assert together[-1] == b'{"event":{},"user":{}}'
    assert [decode(body or b"") for body in together[:-1]] == [decode(body or b"") for body in alone]
