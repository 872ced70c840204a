"""Records that are known as columns are mapped as each record is, whatever the mapping."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping.chunks import fit

from replay.mapping import Mapping
from replay.records import Members
from replay.rules import Judge, severities
from replay.source.jsonl import Records

if TYPE_CHECKING:
    from replay.records import Chunk

LEAVES = st.one_of(
    st.sampled_from(["", " ", "x", "2024-01-01T00:00:00Z", '{"a": 1}', "{", "12", "true", "가"]),
    st.sampled_from([0, -7, 2.5, 1e-5, 10**15, 12.1234567, True, False, None, 2**70]),
    st.sampled_from(
        [[], [1, 2], ["x"], ["x", "y"], [["x"]], ["x", 1, 2], [{"a": "x"}], [{"key": "k", "value": "v"}]]
    ),
)
NAMES = st.sampled_from(["a", "b", "ts", "_replay", "A"])
FLAT = st.dictionaries(NAMES, LEAVES, max_size=4)
NESTED = st.fixed_dictionaries({"a": LEAVES}, optional={"b": FLAT, "ts": LEAVES, "c": st.just([1])})
API = st.fixed_dictionaries(
    {"event": st.fixed_dictionaries({"key": LEAVES}, optional={"value": LEAVES, "properties": FLAT})},
    optional={
        "user": st.fixed_dictionaries({}, optional={"userId": LEAVES, "identifiers": FLAT, "x": LEAVES}),
        "_replay": FLAT,
    },
)
FIRST = {"event": {"key": "k"}, "user": {"userId": "u"}}
STAR = {"event": {"key": "a", "properties": {"*": "*"}}}
MAPPINGS: list[dict[str, Any] | None] = [
    None,
    STAR,
    {"event": {"key": "a", "value": "b:number", "properties": {"*": [{"column": "*", "except": ["b"]}]}}},
    {"event": {"key": "a", "properties": {"deep": "b.a", "t": "b.ts:auto", "s": "b.b:string"}}},
    {"event": {"key": "a"}, "user": {"userId": "b", "properties": {"*": "b.*"}}, "where": {"a": "x"}},
    {"event": {"key": "a", "properties": {"*": {"pairs": "b"}, "l": "ts:json"}}},
    {"event": {"key": "a"}, "time": {"column": "ts", "property": "t"}},
]


def chunks(rows: list[dict[str, Any]]) -> list[Chunk]:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (stretch,) = Records().read(lines.encode())
    return list(stretch.chunks("records", (), 0))


def told(chunk: Chunk, spec: dict[str, Any] | None) -> Any:
    """Everything that comes of a chunk: columns with their types, findings, what the rules say."""
    bound = fit(chunk, None if spec is None else Mapping.parse({"where": {}, **spec}, "m.toml"))
    kept = bound.keep(chunk)
    mapped = bound.apply(kept)
    columns = {
        target: (str(column.dtype), list(map(repr, column.tolist())), column.index.tolist())
        for target, column in mapped.columns.items()
    }
    every_rule = dict.fromkeys(severities(), "error")
    findings = [
        (one.rule, one.field, one.positions, list(map(repr, one.values)))
        for one in Judge(severities({}, every_rule)).judge(mapped, kept)
    ]
    times = None if mapped.times is None else (mapped.times.tolist(), mapped.times.index.tolist())
    return columns, sorted(findings), times, kept.rows.tolist(), bound.unseen()


@settings(deadline=None)
@given(st.lists(FLAT | NESTED, min_size=1, max_size=4), st.integers(1, 3), st.sampled_from(MAPPINGS[1:]))
def test_records_map_the_same_as_columns_and_one_by_one(
    rows: list[dict[str, Any]], times: int, spec: dict[str, Any] | None
) -> None:
    for chunk in chunks([{"a": "x", "b": 1, "ts": ""}, *rows] * times):
        assert told(chunk, spec) == told(replace(chunk, held=chunk.frame), spec)


@settings(deadline=None)
@given(st.lists(API, min_size=1, max_size=4), st.integers(1, 3))
def test_records_of_the_apis_own_shape_do_so_too(rows: list[dict[str, Any]], times: int) -> None:
    for chunk in chunks([FIRST, *rows] * times):
        assert told(chunk, None) == told(replace(chunk, held=chunk.frame), None)


@pytest.mark.parametrize("spec", MAPPINGS)
def test_no_record_is_made_of_plain_ones(spec: dict[str, Any] | None) -> None:
    api = {"event": {"key": "k", "properties": {"p": None}}, "user": {"userId": "u"}}
    row = {"a": "x", "b": {"a": 1, "ts": Decimal("2"), "b": ""}, "ts": "2024-01-01T00:00:00Z"}
    flat = {"a": "x", "b": 1, "ts": "2024-01-01T00:00:00Z"}
    is_flat = spec is not None and "*" in str(spec)
    (chunk,) = chunks(
        [api if spec is None else flat if is_flat else {**row, "b": {"a": 1, "ts": 2, "b": ""}}] * 3
    )
    bound = fit(chunk, None if spec is None else Mapping.parse(spec, "m.toml"))
    assert isinstance(chunk.held, Members)
    bound.apply(bound.keep(replace(chunk, held=Unmade(chunk.held))))


class Unmade(Members):
    """Members of which no record may be made."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    @property
    def names(self) -> Any:
        return self._members.names

    @property
    def paths(self) -> Any:
        return self._members.paths

    @property
    def frame(self) -> Any:
        raise AssertionError("a record was made")

    def column(self, path: tuple[str, ...]) -> Any:
        return self._members.column(path)

    def take(self, places: Any) -> Members:
        return Unmade(self._members.take(places))
