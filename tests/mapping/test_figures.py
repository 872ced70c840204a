"""Numbers written for people are read as the format shows them, and in no other way."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import apply, breaches, column, records, values

from replay.errors import MappingError
from replay.mapping import Mapping
from replay.mapping.casts import cast
from replay.mapping.figures import Figures
from replay.mapping.numbers import parse

FORMATS = (
    "1,234.56",
    "1.234,56",
    "1 234,56",
    "1'234.56",
    "1,234",
    "1.234",
    "0,61",
    "0.61",
    "₩1,234",
    "1,234원",
    "$1,234.5",
)
FAILS = object()


def mapping(form: str, **more: Any) -> Mapping:
    source = {"column": "cell", "type": "number", "format": form, **more}
    return Mapping.parse({"event": {"properties": {"p": source}}}, "m.toml")


def read(cell: Any, form: str) -> Any:
    chunk = column("cell", [cell]) if isinstance(cell, str) else records({"cell": cell})
    mapped = apply(chunk, mapping(form))
    if mapped.findings:
        assert breaches(mapped) == [("cast-failed", "event.properties.p", [0])]
        assert (mapped.findings[0].values, form in mapped.findings[0].message) == ([cell], True)
        return FAILS
    return values(mapped, "event", "properties", "p")[0]


@pytest.mark.parametrize(
    ("form", "cell", "number"),
    [
        ("1,234", "32,000", 32000),
        ("1,234", "1,234,567", 1234567),
        ("1,234", "500", 500),
        ("1,234", "-1,500", -1500),
        ("1,234", "1500", 1500),
        ("1,234", "007", 7),
        ("1,234", "1,23", FAILS),
        ("1,234", "12,34,567", FAILS),
        ("1,234", "1,234.5", FAILS),
        ("1,234", "1.234", FAILS),
        ("1,234", " 1,234", FAILS),
        ("1,234", "1,234\n", FAILS),
        ("1,234", "", None),
        ("1,234", "1e5", FAILS),
        ("1,234", "١,٢٣٤", FAILS),
        ("1,234.56", "1,234.56", 1234.56),
        ("1,234.56", "12.5", 12.5),
        ("1,234.56", "1,234", 1234),
        ("1.234,56", "1.234,56", 1234.56),
        ("1.234,56", "0,61", 0.61),
        ("1.234,56", "1.234", 1234),
        ("1.234,56", "12.5", FAILS),
        ("0,61", "1234,5", 1234.5),
        ("0,61", "1.234,5", FAILS),
        ("0,123", "1,234", 1.234),
        ("1 234,56", "1\u00a0234,56", 1234.56),
        ("1 234,56", "1\u202f234,56", 1234.56),
        ("1'234.56", "1\u2019234.56", 1234.56),
        ("₩1,234", "₩32,000", 32000),
        ("₩1,234", "-₩32,000", -32000),
        ("₩1,234", "32,000", FAILS),
        ("1,234원", "32,000원", 32000),
        ("1,234.56", "1,234.12345678901234567", Decimal("1234.12345678901234567")),
        ("1,234", "12,345,678,901,234,567,890", 12345678901234567890),
    ],
)  # fmt: skip
def test_a_number_is_read_as_the_format_shows_it(form: str, cell: str, number: Any) -> None:
    if number is None:
        assert apply(column("cell", [cell]), mapping(form)).columns == {}
    else:
        assert read(cell, form) == number


def test_a_json_number_needs_no_format_and_other_values_do_not_fit() -> None:
    assert read(1234.5, "1,234") == 1234.5
    assert read(True, "1,234") is FAILS
    assert read(["1,234"], "1,234") is FAILS


@pytest.mark.parametrize(
    "form", ["abc", "", "1,2,3", "1.234.56,7", "(1,234)", "1,234,56", "1,234.", "--1", "1|234"]
)
def test_a_format_that_shows_no_number_is_refused(form: str) -> None:
    with pytest.raises(MappingError, match="shows no number"):
        mapping(form)


def test_a_format_needs_the_type_number() -> None:
    with pytest.raises(MappingError, match='Add type = "number"'):
        Mapping.parse({"event": {"value": {"column": "a", "format": "1,234"}}}, "m")


def test_trim_and_lower_come_before_the_cast_and_an_empty_text_is_absent_after_them() -> None:
    source = {"column": "cell", "type": "boolean", "trim": True, "lower": True}
    mapped = apply(
        column("cell", [" TRUE ", "  ", "\u3000참\u3000", "No"]),
        Mapping.parse({"event": {"properties": {"p": source, "q": {"column": "cell", "trim": True}}}}, "m"),
    )
    assert values(mapped, "event", "properties", "p") == {0: True, 3: False}
    assert values(mapped, "event", "properties", "q") == {0: "TRUE", 2: "참", 3: "No"}
    assert breaches(mapped) == [("cast-failed", "event.properties.p", [2])]


def test_trim_and_lower_leave_other_values_of_records_alone() -> None:
    source = {"column": "c", "trim": True, "lower": True, "default": "none"}
    mapped = apply(
        records({"c": " A "}, {"c": 5}, {"c": "  "}, {}),
        Mapping.parse({"event": {"properties": {"p": source}}}, "m"),
    )
    assert values(mapped, "event", "properties", "p") == {0: "a", 1: 5, 2: "none", 3: "none"}


def shown(number: Decimal, form: Figures, *, grouped: bool) -> str:
    """A number as a format writes it."""
    sign, whole, decimals = re.fullmatch(r"(-?)([0-9]+)\.?([0-9]*)", f"{number:f}").groups()  # type: ignore[union-attr]
    if grouped and form.group:
        whole = re.sub(r"(?<=[0-9])(?=([0-9]{3})+$)", form.group, whole)
    return (
        sign + form.before + whole + (form.point + decimals if decimals and form.point else "") + form.after
    )


@settings(max_examples=1500, deadline=None)
@given(
    number=st.decimals(
        min_value=-(10**15), max_value=10**15, places=3, allow_nan=False, allow_infinity=False
    ),
    form=st.sampled_from(FORMATS),
    grouped=st.booleans(),
)
def test_what_a_format_writes_it_reads_again(number: Decimal, form: str, grouped: bool) -> None:
    figures = Figures.parse(form)
    assert figures is not None
    number = number if figures.point else number.quantize(Decimal(1))
    if number == 0:
        number = abs(number)
    text = shown(number, figures, grouped=grouped)
    plain = figures.plain(text)
    assert plain is not None
    assert Decimal(plain) == number


@settings(max_examples=500, deadline=None)
@given(
    cells=st.lists(
        st.from_regex(r"-?[0-9]{1,4}([.,][0-9]{1,4}){0,3}", fullmatch=True), min_size=2, max_size=6
    ),
    form=st.sampled_from(FORMATS),
)
def test_a_column_is_read_as_its_cells_are_read_one_by_one(cells: list[str], form: str) -> None:
    figures = Figures.parse(form)
    assert figures is not None
    together = cast(pd.Series(cells, dtype="str"), "number", figures)
    alone = {place: figures.plain(cell) for place, cell in enumerate(cells)}
    right = {place: parse(plain) for place, plain in alone.items() if plain is not None}
    assert dict(together.column.items()) == right
    assert together.failed.index.tolist() == [place for place in alone if place not in right]
