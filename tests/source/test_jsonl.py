from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.source import bounds
from replay.source.jsonl import Records, read_record
from replay.source.number import number

NAMES = st.text(st.sampled_from('ab":\\ 가\u2028'), max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
TOKENS = [
    '{"a":',
    '"a"',
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "1",
    "1.50",
    "1e5",
    "-0",
    "NaN",
    "null",
    " ",
    '"',
    "\\",
    '"b" :',
    "\\u003a",
    "x",
]


def refused(line: str) -> bool:
    """Whether the json module, told to be strict, refuses this line or what it holds."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("repeated")
        return dict(pairs)

    def never(text: str) -> None:
        raise ValueError(text)

    try:
        value = json.loads(line, object_pairs_hook=unique, parse_constant=never)
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return True
    return not isinstance(value, dict)


@given(
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : ")]),
)
def test_any_record_is_read_as_the_json_module_reads_it(
    record: dict[str, Any], ascii_only: bool, separators: tuple[str, str]
) -> None:
    line = json.dumps(record, ensure_ascii=ascii_only, separators=separators)
    found = read_record(line.encode())
    assert found == json.loads(line, parse_float=number)
    assert found == record


@given(st.lists(st.sampled_from(TOKENS), max_size=8).map("".join))
def test_what_the_json_module_refuses_is_refused_and_nothing_else(line: str) -> None:
    if refused(line):
        with pytest.raises(ValueError, match=r"."):
            read_record(line.encode())
    else:
        assert read_record(line.encode()) == json.loads(line)


@pytest.mark.parametrize(
    "line",
    [
        '{"a":1,"a":1}',
        '{"a" :1,"a":2}',
        '{"a" : 1, "a"\t: 2}',
        '{"p":{"a":1,"a":2}}',
        '{"p":[[{"a":1,"a":2}]]}',
        '{"a":":","a":"\\u003a\\u003a"}',
        '{"a":1,"\\u0061":2}',
        '{"a":"x:y","a":1}',
    ],
)
def test_a_name_twice_in_one_object_at_any_depth_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match='"a" comes twice'):
        read_record(line.encode())


def test_one_name_in_two_objects_and_colons_in_texts_are_fine() -> None:
    line = '{"a":{"a":":"},"b":[{"a":1},{"a":"x\\":1"}],"c":"\\u003a"}'
    assert read_record(line.encode()) == json.loads(line)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0", 1.0),
        ("0.1", 0.1),
        ("-0.0", -0.0),
        ("12.50", Decimal("12.50")),
        ("1e5", Decimal("1e5")),
        ("123456789.123456789", Decimal("123456789.123456789")),
        ("1E-7", Decimal("1E-7")),
        ("0e999999999", 0.0),
    ],
)
def test_a_number_keeps_its_digits(text: str, value: float | Decimal) -> None:
    found = number(text)
    assert (type(found), str(found)) == (type(value), str(value))


@pytest.mark.parametrize("text", ["1e400", "-1e309", "1e-400", "0.1e-99999999999"])
def test_a_number_beyond_the_range_of_a_double_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="range of a double"):
        number(text)


def test_an_integer_may_have_4300_digits_and_no_more() -> None:
    digits = "7" * 4300
    assert read_record(f'{{"a":{digits}}}'.encode()) == {"a": int(digits)}
    with pytest.raises(ValueError, match="more than 4,300 digits"):
        read_record(f'{{"a":{digits}7}}'.encode())


def test_raw_bytes_are_the_line_without_its_end_and_line_numbers_are_true() -> None:
    records = Records()
    (stretch,) = records.read(b'{"a":1}\r\n\n  \t\r {"a": 2} \r\nbroken\n{"a":3}\r')
    assert stretch.raw == [b'{"a":1}', b' {"a": 2} ', b'{"a":3}']
    assert stretch.lines.tolist() == [1, 4, 6]
    assert stretch.rows.tolist() == [1, 2, 4]
    assert [(flaw.row, flaw.line, flaw.raw) for flaw in stretch.unreadable] == [(3, 5, b"broken")]
    assert (records.row, records.line) == (5, 7)


def test_records_of_no_one_shape_come_in_small_stretches_that_count_on() -> None:
    stretches = list(Records().read(b'{"a":["x",1,2]}\n' * (2 * bounds.RECORD_ROWS + 1)))
    assert [len(stretch.rows) for stretch in stretches] == [bounds.RECORD_ROWS, bounds.RECORD_ROWS, 1]
    assert stretches[2].rows.tolist() == stretches[2].lines.tolist() == [2 * bounds.RECORD_ROWS + 1]
    assert stretches[0].frame[0].dtype == object


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"b":2,"a":"x,y"}',
        b'{ "a" : 1 , "a" : 2 }',
        b'{"a":",","a":2}',
        b'{"a":1,"b":{"c":1,"c":2}}',
        b'{"a":1,"b":[{"c":1,"c":2}]}',
    ],
)
def test_a_name_twice_is_told_whatever_stands_around_it(line: bytes) -> None:
    with pytest.raises(ValueError, match="comes twice in one object"):
        read_record(line)
