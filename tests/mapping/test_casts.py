from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import apply, assigned, breaches, column, records, values

from replay.mapping import Mapping, bodies

if TYPE_CHECKING:
    from replay.records import Mapped

FAILS = object()


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth > 1 else []


def cast_cells(cells: list[str], kind: str) -> Mapped:
    return apply(column("cell", cells), assigned(f"event.properties.p=cell:{kind}"))


def cast_cell(cell: str, kind: str) -> Any:
    mapped = cast_cells([cell], kind)
    if mapped.findings:
        assert breaches(mapped) == [("cast-failed", "event.properties.p", [0])]
        assert mapped.findings[0].values == [cell]
        return FAILS
    return values(mapped, "event", "properties", "p")[0]


def cast_member(value: Any, kind: str) -> Any:
    mapped = apply(records({"cell": value}), assigned(f"event.properties.p=cell:{kind}"))
    return FAILS if mapped.findings else values(mapped, "event", "properties", "p")[0]


CELLS = [
    ("string", "00123", "00123"),
    ("string", " 12 ", " 12 "),
    ("number", "12", 12),
    ("number", "-7", -7),
    ("number", "007", 7),
    ("number", "-007.50", -7.5),
    ("number", "12.50", 12.5),
    ("number", "1e5", 1e5),
    ("number", "1E+2", 100.0),
    ("number", "12345678901234567890123", 12345678901234567890123),
    ("number", "0.1000000000000000055", Decimal("0.1000000000000000055")),
    ("number", "0.12345678901234567", Decimal("0.12345678901234567")),
    ("number", "9999999999999999999", 9999999999999999999),
    ("number", "1e400", Decimal("1e400")),
    ("number", "1_000", FAILS),
    ("number", " 12 ", FAILS),
    ("number", "1,000", FAILS),
    ("number", "+1", FAILS),
    ("number", ".5", FAILS),
    ("number", "5.", FAILS),
    ("number", "0x1A", FAILS),
    ("number", "inf", FAILS),
    ("number", "nan", FAILS),
    ("number", "-", FAILS),
    ("number", "12\n", FAILS),
    ("number", "١٢", FAILS),
    ("number", "true", FAILS),
    ("boolean", "true", True),
    ("boolean", "FALSE", False),
    ("boolean", "Yes", True),
    ("boolean", "nO", False),
    ("boolean", "1", True),
    ("boolean", "0", False),
    ("boolean", "t", FAILS),
    ("boolean", "2", FAILS),
    ("boolean", " true", FAILS),
    ("boolean", "ye\u017f", FAILS),
    ("json", '{"a":[1,null]}', {"a": [1, None]}),
    ("json", "12345678901234567890123", 12345678901234567890123),
    ("json", "[1.10, 0.1000000000000000055]", [1.1, Decimal("0.1000000000000000055")]),
    ("json", '"text"', "text"),
    ("json", "{'a':1}", FAILS),
    ("json", "NaN", FAILS),
    ("json", "[1e400]", FAILS),
    ("json", '{"a":1,"b":{"c":1,"c":2}}', FAILS),
    ("json", '"\\ud800"', FAILS),
    ("json", "[" * 128 + "]" * 128, nested(128)),
    ("json", "[" * 129 + "]" * 129, FAILS),
    ("json", "[" + "[]," * 200 + "[]]", [[]] * 201),
    ("json", "[" * 100_000, FAILS),
    ("auto", "12", 12),
    ("auto", "-3.5", -3.5),
    ("auto", "true", True),
    ("auto", "True", "True"),
    ("auto", "yes", "yes"),
    ("auto", "007", "007"),
    ("auto", "1e5", "1e5"),
    ("auto", "12.50", "12.50"),
    ("auto", "-0", "-0"),
    ("auto", "123456789012345", 123456789012345),
    ("auto", "1234567890123456", "1234567890123456"),
    ("auto", "12345678901234567890", "12345678901234567890"),
    ("auto", "+821012345678", "+821012345678"),
]


@pytest.mark.parametrize(("kind", "cell", "expected"), CELLS)
def test_a_cell_becomes_what_its_type_says_or_fails(kind: str, cell: str, expected: Any) -> None:
    found = cast_cell(cell, kind)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("kind", ["string", "number", "boolean", "json", "auto"])
def test_a_column_cast_whole_gives_what_each_cell_gives_alone(kind: str) -> None:
    cells = [cell for other, cell, _ in CELLS if other == kind]
    mapped = cast_cells(cells, kind)
    together = values(mapped, "event", "properties", "p")
    alone = {
        place: value for place, cell in enumerate(cells) if (value := cast_cell(cell, kind)) is not FAILS
    }
    assert together == alone
    failed = [place for finding in mapped.findings for place in finding.positions]
    assert sorted([*failed, *alone]) == list(range(len(cells)))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 5, 5),
        ("number", 1.5, 1.5),
        ("number", Decimal("1.10"), Decimal("1.10")),
        ("number", "12", 12),
        ("number", "x", FAILS),
        ("number", True, FAILS),
        ("number", [1], FAILS),
        ("string", 12345678901234567890, "12345678901234567890"),
        ("string", True, "true"),
        ("string", 1.5, "1.5"),
        ("string", {"a": "한"}, '{"a":"한"}'),
        ("boolean", False, False),
        ("boolean", 1, True),
        ("boolean", "no", False),
        ("boolean", 1.0, FAILS),
        ("boolean", 2, FAILS),
        ("json", "[1]", [1]),
        ("json", {"a": 1}, {"a": 1}),
        ("auto", "12", 12),
        ("auto", 1.0, 1.0),
        ("auto", "007", "007"),
    ],
)
def test_a_json_value_keeps_its_type_unless_the_cast_asks_for_another(
    kind: str, value: Any, expected: Any
) -> None:
    found = cast_member(value, kind)
    assert found == expected
    assert type(found) is type(expected)


def test_a_failed_cast_names_the_column_the_type_and_what_to_do() -> None:
    (finding,) = cast_cells(["1,000", "5"], "number").findings
    assert finding.message == (
        "column 'cell' does not read as number; "
        "write digits as JSON does (1200, -3.5), or map it without :number"
    )


def test_null_and_empty_text_inside_a_cell_are_absent() -> None:
    assert values(cast_cells(["null", '""', "0"], "json"), "event", "properties", "p") == {2: 0}


def test_a_default_fills_what_is_absent_and_not_what_failed() -> None:
    mapping = Mapping.parse(
        {"event": {"properties": {"p": {"column": "cell", "type": "number", "default": 0}}}}, "m"
    )
    mapped = apply(column("cell", ["5", "", "x", "2.5"]), mapping)
    assert list(values(mapped, "event", "properties", "p").items()) == [(0, 5), (1, 0), (3, 2.5)]
    assert breaches(mapped) == [("cast-failed", "event.properties.p", [2])]


spelled = st.from_regex(r"-?[0-9]{1,25}(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@settings(deadline=None)
@given(st.lists(spelled, min_size=1, max_size=8))
def test_no_digit_of_a_number_is_lost_on_its_way_into_the_body(cells: list[str]) -> None:
    mapped = cast_cells(cells, "number")
    assert not mapped.findings
    for cell, body in zip(cells, bodies(mapped, np.ones(len(cells), dtype=bool)), strict=True):
        assert body is not None
        event = msgspec.json.decode(body, type=dict[str, dict[str, dict[str, msgspec.Raw]]])["event"]
        assert Decimal(bytes(event["properties"]["p"]).decode()) == Decimal(cell)


@settings(deadline=None)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,24})", fullmatch=True))
def test_an_integer_goes_out_with_its_own_digits(cell: str) -> None:
    (body,) = bodies(cast_cells([cell], "number"), np.ones(1, dtype=bool))
    digits = "0" if cell == "-0" else cell
    assert body == f'{{"event":{{"properties":{{"p":{digits}}}}},"user":{{}}}}'.encode()


@settings(deadline=None)
@given(st.text(max_size=6))
def test_what_auto_takes_for_a_number_or_boolean_writes_back_to_the_same_text(text: str) -> None:
    if text == "":
        return
    found = cast_cell(text, "auto")
    assert found == text or msgspec.json.encode(found).decode() == text
