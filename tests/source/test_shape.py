"""Blocks of lines of one shape: what comes of them as columns is what comes of each line alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.records import Members
from replay.source.jsonl import PASSED_BY, Records, read_record
from replay.source.members import Found, ShapedLines, members_of
from replay.source.shape import lines_of

TEXTS = st.text(st.sampled_from('ab":\\/{}[], 가\u2028\x7f'), max_size=4)
NUMBERS = st.sampled_from(
    [
        *("0", "-0", "7", "-12", "1.0", "-0.0", "0.00", "1.50", "0.0001", "0.00001", "1e5", "1E-7", "12.5"),
        *("123456789012345678", "12345678901234567890123", "123456789.1234567", "1234567890123.25"),
    ]
)
WORDS = st.sampled_from(["true", "false", "null"])
HOSTILE = st.sampled_from(
    [
        *("NaN", "-Infinity", "1e400", "01", "1.", ".5", "+1", "1,2", "1 2", "", "nul", "null ", "7" * 4301),
        *("[1]", "[1,2]", "{}", '"x"', '"a\nb"', '"a\tb"', '"\udce9"', '"},{"', '"{\\"x\\":1}"', '\\"x"'),
        *('"\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"\\u00e9"', '"\\\\"', '"\\"', '"a","b":"c"'),
        *('1,"a":2', '1}{"a":1', '1}\n{"a":1', "1] , [2", '{"a":1,"a":2}', '{"b":{"c":""}}'),
        *("[" * 130 + "]" * 130, '{"a":' * 130 + "1" + "}" * 130),
    ]
)
NAMES = ["a", "b", "c", "_replay", "가", "x.y", 'q"', ""]


def strings(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)


STRINGS = st.builds(strings, TEXTS, ascii_only=st.booleans())
LISTS = st.lists(NUMBERS | WORDS, max_size=3) | st.lists(STRINGS, max_size=2) | st.lists(STRINGS | NUMBERS)
ARRAYS = LISTS.map(lambda items: "[" + ", ".join(items) + "]")
INSIDE = st.sampled_from(
    ["", '{"p":%s}', "[%s]", '[{"p":%s}, {"p":"q","r":[]}]', '["x",%s]', '{"p":[%s],"q":%s}']
)
VALUES = {
    "text": STRINGS,
    "number": NUMBERS,
    "word": WORDS,
    "same": st.just("5"),
    "any": STRINGS | NUMBERS,
    "list": ARRAYS,
    "deep": st.just(""),
}
KINDS = st.sampled_from(list(VALUES))
MEMBER = st.tuples(st.sampled_from(NAMES), KINDS)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " : ")])
ENDS = st.sampled_from(["\n"] * 9 + ["\r\n", "\r", " \n", "\n\n", "\t\n", "\x0b\n"])


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """Lines that mostly are of one shape, with a hostile value, name or line end in some."""
    members = draw(st.lists(MEMBER, min_size=1, max_size=4, unique_by=lambda member: member[0]))
    inside = draw(st.lists(MEMBER, max_size=2, unique_by=lambda member: member[0]))
    comma, colon = draw(SEPARATORS)
    around = draw(INSIDE)
    end = draw(ENDS) if draw(st.booleans()) else "\n"
    odd = draw(st.integers(0, 5)) == 0

    def written(pairs: list[tuple[str, str]]) -> str:
        parts = []
        for name, kind in pairs:
            value = draw(HOSTILE) if odd and draw(st.integers(0, 3)) == 0 else draw(VALUES[kind])
            if kind == "deep":
                value = around.replace("%s", draw(STRINGS | NUMBERS | ARRAYS)) or "[]"
            parts.append(json.dumps(name) + colon + value)
        return comma.join(parts)

    lines = []
    for _ in range(draw(st.integers(1, 5))):
        nested = f"{comma}{json.dumps('in')}{colon}{{{written(inside)}}}" if inside else ""
        lines.append(f"{{{written(members)}{nested}}}" + (draw(ENDS) if odd else end))
    return ("\ufeff" * (draw(st.integers(0, 30)) == 0) + "".join(lines)).encode("utf-8", "surrogateescape")


def found_in(data: bytes) -> Found | None:
    lines = lines_of(data)
    try:
        return None if lines is None else members_of(lines, read_record)
    except ValueError:
        return None


def one_by_one(data: bytes) -> tuple[list[Any], list[Any]]:
    """(row, line, value, raw) of each record, (row, line, reason, raw) of each that is none."""
    rows: list[Any] = []
    bad: list[Any] = []
    for line, raw in enumerate(data.splitlines(), 1):
        if not raw or raw.isspace():
            continue
        row = len(rows) + len(bad) + 1
        try:
            rows.append((row, line, repr(read_record(raw)), raw))
        except ValueError as error:
            bad.append((row, line, str(error), raw))
    return rows, bad


def at_once(data: bytes) -> tuple[list[Any], list[Any]]:
    """The same as the reader gives it."""
    rows: list[Any] = []
    bad: list[Any] = []
    for stretch in Records().read(data):
        assert stretch.raw is not None
        values = map(repr, stretch.frame[0])
        rows += zip(stretch.rows.tolist(), stretch.lines.tolist(), values, stretch.raw, strict=True)
        bad += [(flaw.row, flaw.line, flaw.reason, flaw.raw) for flaw in stretch.unreadable]
    return rows, bad


def at(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def leaves(record: dict[str, Any], owner: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, value in record.items():
        found += leaves(value, (*owner, name)) if isinstance(value, dict) else [(*owner, name)]
    return found


@given(blocks())
@example(b'{"a":"x","b":1}\n{"a":"x\\","b":1}\n')
@example(b'{"a":1,"b":2}\n{"a":1],"b":[2}\n')
@example(b'{"a":"\\\\","b":"x"}\n{"a":"\\","b":"x"}\n')
@example(b'{"a":\\"1"}\n{"a":\\"1"}\n')
@example(b"\n{}\n")
@example(b"{}\n{}\n")
@example(b"\r\n")
def test_a_block_reads_as_its_lines_do_one_by_one(data: bytes) -> None:
    assert at_once(data) == one_by_one(data)


@given(blocks(), st.data())
def test_every_column_is_what_the_records_have_there(data: bytes, choice: st.DataObject) -> None:
    found = found_in(data)
    if found is None:
        return
    raw = [data.splitlines()[line] for line in found.at.tolist()]
    records = [read_record(line) for line in raw]
    mask = choice.draw(st.lists(st.booleans(), min_size=len(records), max_size=len(records)))
    some = found.records.take(np.array(mask, dtype=np.bool_))
    kept = [record for record, wanted in zip(records, mask, strict=True) if wanted]
    assert list(some.raw) == [line for line, wanted in zip(raw, mask, strict=True) if wanted]
    for path in [*(path for record in records for path in leaves(record)), ("nothing",), ("in", "nothing")]:
        for members, those in ((found.records, records), (some, kept)):
            column = told(members, path)
            assert column is None or column == list(map(repr, (at(record, path) for record in those)))
    for members, those in ((found.records, records), (some, kept)):
        assert members.names == tuple(dict.fromkeys(name for record in those for name in record))


def told(members: ShapedLines, path: tuple[str, ...]) -> list[str] | None:
    column = members.column(path)
    if column is None:
        return None
    return list(map(repr, column if isinstance(column, list) else column.to_pylist()))


@pytest.mark.parametrize(
    "line",
    [
        '{"a":"x","b":1}',
        '{ "a" : "x\\"y" , "b" : {"c": -1.5, "d": {}}, "e": null }',
        '{"a":"\\uac00\\n","b":true}',
        '{"a":"\\\\","b":"\\\\\\"","c":"{\\"d\\":\\"\\\\\\\\\\"\\"}"}',
        '{"a":["x","y"],"b":[1, 2],"c":[],"d":[{"p":"q","r":[1]},{}],"e":[["z"]]}',
        "{}",
    ],
)
def test_lines_of_one_shape_are_taken_at_once(line: str) -> None:
    asked: list[bytes] = []

    def read(raw: bytes) -> dict[str, Any]:
        asked.append(raw)
        return read_record(raw)

    data = (line + "\n").encode()
    for block in (data * 3, data.replace(b"\n", b"\r\n") * 3):
        lines = lines_of(block)
        assert lines is not None
        found = members_of(lines, read)
        assert found is not None
        assert [*found.records.frame[0]] == [json.loads(line)] * 3
    assert asked == [line.encode()] * 2


@pytest.mark.parametrize(
    "block",
    [
        '{"a":1}\r{"a":1}\n',
        '{"a":1}\n{"a":\t1}\n',
        '{"a":1}\n{"a":1e400}\n',
        '{"a":"\\x"}\n',
        '{"a":[1,"x"]}\n{"a":["x",1,2]}\n' * 9,
        "{}{}\n" * 9 + "{}\n" * 9,
    ],
)
def test_blocks_that_are_not_shown_to_be_of_few_shapes_go_line_by_line(block: str) -> None:
    assert found_in(block.encode()) is None


def test_lines_of_several_shapes_and_of_none_come_together() -> None:
    lines = ['{"a":"x","n":1}', '{"n":2}', "", '{"n":null,"a":"y"}', '{"a":["z"]}', "broken", '{"n":2.5}']
    found = found_in("".join(line + "\n" for line in lines).encode())
    assert found is not None
    assert (found.at.tolist(), found.blank, list(found.flaws)) == ([0, 1, 3, 4, 6], [2], [5])
    assert found.records.names == ("a", "n")
    assert told(found.records, ("n",)) == ["1", "2", "None", "None", "2.5"]
    assert told(found.records, ("a",)) == ["'x'", "None", "'y'", "['z']", "None"]


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (("a",), ["'x'", "'{}'"]),
        (("b", "c"), ["1", "2"]),
        (("a", "b"), None),
        (("b",), None),
        (("c", "d"), ["None", "None"]),
    ],
)
def test_what_may_be_inside_a_text_or_is_an_object_takes_the_record(
    path: tuple[str, ...], known: list[str] | None
) -> None:
    found = found_in(b'{"a":"x","b":{"c":1}}\n{"a":"{}","b":{"c":2}}\n')
    assert found is not None
    assert told(found.records, path) == known


def test_a_source_of_many_shapes_is_read_line_by_line_and_tried_again_later() -> None:
    records = Records()
    many = "".join(f'{{"{name}":1}}\n' for name in range(100)).encode()
    seen: list[int] = []
    for data in [many] * PASSED_BY + [b'{"a":1}\n' * 3] * 2:
        (stretch,) = records.read(data)
        seen.append(len(stretch.rows))
        assert isinstance(stretch.held, Members) == (data != many)
        assert stretch.rows.tolist() == list(range(records.row - seen[-1], records.row))
    assert seen == [100] * PASSED_BY + [3, 3]
