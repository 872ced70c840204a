"""Each rule is broken by a row that breaks it, and not by one that just does not."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.records import Chunk, Finding, Mapped, Target
from replay.rules import RULES, Judge, invalid_places, severities

if TYPE_CHECKING:
    from replay.settings import Severity

KEY: Target = ("event", "key")
VALUE: Target = ("event", "value")
USER: Target = ("user", "userId")
SOUND: dict[Target, Any] = {KEY: "purchase", USER: "u1"}


def series(values: list[Any], places: list[int]) -> pd.Series[Any]:
    kinds = set(map(type, values))
    if kinds == {str}:
        return pd.Series(values, index=places, dtype="str")
    if kinds in ({int}, {float}, {bool}) and all(abs(value) < 2**63 for value in values):
        return pd.Series(values, index=places)
    cells = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        cells[place] = value
    return pd.Series(cells, index=places)


def mapped(*rows: dict[Target, Any], findings: list[Finding] | None = None) -> Mapped:
    targets = dict.fromkeys(target for row in rows for target in row)
    columns = {}
    for target in targets:
        places = [place for place, row in enumerate(rows) if target in row]
        columns[target] = series([rows[place][target] for place in places], places)
    return Mapped(len(rows), columns, findings or [])


def chunk(size: int, first_row: int = 1) -> Chunk:
    rows = np.arange(first_row, first_row + size)
    return Chunk("table", (), pd.DataFrame(index=range(size)), rows, rows + 1, None, (), 0)


def judge(found: Mapped, **changed: Severity) -> list[Finding]:
    changes = {rule.replace("_", "-"): severity for rule, severity in changed.items()}
    return Judge(severities(changes)).judge(found, chunk(found.size))


def broken(*rows: dict[Target, Any]) -> list[tuple[str, str, list[int]]]:
    return [(finding.rule, finding.field, finding.positions) for finding in judge(mapped(*rows))]


def event(name: str, value: Any) -> dict[Target, Any]:
    return {**SOUND, ("event", "properties", name): value}


def user(name: str, value: Any) -> dict[Target, Any]:
    return {**SOUND, ("user", "properties", name): value}


ASTRAL = "\U0001f600"  # two UTF-16 units

BREACHES = [
    ("event-key-missing", "event.key", {USER: "u"}, SOUND),
    ("event-key-missing", "event.key", {KEY: " \u3000", USER: "u"}, {KEY: ".", USER: "u"}),
    ("user-missing", "user", {KEY: "k"}, {KEY: "k", ("user", "deviceId"): "d"}),
    (
        "user-missing",
        "user",
        {KEY: "k", ("user", "properties", "a"): 1},
        {KEY: "k", ("user", "identifiers", "i"): "x"},
    ),
    ("value-not-number", "event.value", {**SOUND, VALUE: "12"}, {**SOUND, VALUE: 12}),
    ("value-not-number", "event.value", {**SOUND, VALUE: True}, {**SOUND, VALUE: Decimal("0.5")}),
    ("value-not-number", "event.value", {**SOUND, VALUE: [1]}, {**SOUND, VALUE: 0.5}),
    ("number-not-finite", "event.value", {**SOUND, VALUE: Decimal("1e400")}, {**SOUND, VALUE: 0.5}),
    ("number-not-finite", "event.value", {**SOUND, VALUE: float("inf")}, {**SOUND, VALUE: 0.5}),
    ("number-not-finite", "event.properties.n", event("n", Decimal("-Infinity")), event("n", 1)),
    ("number-not-finite", "event.properties.n", event("n", 10**400), event("n", 1)),
    ("event-key-too-long", "event.key", {**SOUND, KEY: "k" * 129}, {**SOUND, KEY: "k" * 128}),
    ("event-key-charset", "event.key", {**SOUND, KEY: "a b"}, {**SOUND, KEY: "a_b.C-9"}),
    ("event-key-charset", "event.key", {**SOUND, KEY: "구매"}, {**SOUND, KEY: "buy"}),
    ("event-key-charset", "event.key", {**SOUND, KEY: "key\n"}, {**SOUND, KEY: "key"}),
    ("event-key-reserved", "event.key", {**SOUND, KEY: "$buy"}, {**SOUND, KEY: "buy"}),
    ("identifier-too-long", "user.userId", {**SOUND, USER: "u" * 513}, {**SOUND, USER: "u" * 512}),
    ("identifier-too-long", "user.userId", {**SOUND, USER: ASTRAL * 257}, {**SOUND, USER: ASTRAL * 256}),
    (
        "identifier-too-long",
        "user.identifiers.i",
        {**SOUND, ("user", "identifiers", "i"): "한" * 513},
        {**SOUND, ("user", "identifiers", "i"): "한" * 512},
    ),
    (
        "identifier-blank",
        "user.deviceId",
        {**SOUND, ("user", "deviceId"): " \t\u00a0"},
        {**SOUND, ("user", "deviceId"): " d "},
    ),
    ("identifier-blank", "user.deviceId", {**SOUND, ("user", "deviceId"): ""}, SOUND),
    (
        "identifier-name-too-long",
        "user.identifiers." + "i" * 129,
        {**SOUND, ("user", "identifiers", "i" * 129): "x"},
        {**SOUND, ("user", "identifiers", "i" * 128): "x"},
    ),
    ("user-id-deprecated", "user.id", {**SOUND, ("user", "id"): "x"}, SOUND),
    ("property-name-too-long", "event.properties." + "p" * 129, event("p" * 129, 1), event("p" * 128, 1)),
    ("property-name-too-long", "user.properties." + ASTRAL * 65, user(ASTRAL * 65, 1), user(ASTRAL * 64, 1)),
    ("property-name-blank", "event.properties. ", event(" ", 1), event(" a ", 1)),
    ("property-name-blank", "event.properties.", event("", 1), event("a", 1)),
    ("property-reserved", "user.properties.$a", user("$a", 1), user("a$", 1)),
    ("string-too-long", "event.properties.p", event("p", "s" * 1025), event("p", "s" * 1024)),
    ("string-too-long", "event.properties.p", event("p", ASTRAL * 513), event("p", ASTRAL * 512)),
    ("string-too-long", "user.properties.p", user("p", "한" * 1025), user("p", "한" * 1024)),
    ("number-digits", "event.value", {**SOUND, VALUE: 10**15}, {**SOUND, VALUE: 10**15 - 1}),
    ("number-digits", "event.value", {**SOUND, VALUE: -(10**15)}, {**SOUND, VALUE: 1 - 10**15}),
    ("number-digits", "event.properties.n", event("n", 0.1234567), event("n", 0.123456)),
    ("number-digits", "event.properties.n", event("n", 1e-7), event("n", 1e-6)),
    ("number-digits", "event.properties.n", event("n", 1e15), event("n", 99999999.123456)),
    ("number-digits", "user.properties.n", user("n", 12345678901234567890), user("n", 123456789012345)),
    (
        "number-digits",
        "user.properties.n",
        user("n", Decimal("0.1234567")),
        user("n", Decimal("0.1234560000")),
    ),
    ("number-digits", "user.properties.n", user("n", Decimal("1e15")), user("n", Decimal("1e14"))),
    ("array-element", "event.properties.a", event("a", [1, True]), event("a", [1, "b", Decimal("2.5")])),
    ("array-element", "event.properties.a", event("a", ["s" * 1025]), event("a", ["s" * 1024])),
    ("array-element", "event.properties.a", event("a", [[1]]), event("a", [])),
    ("value-nested", "event.properties.a", event("a", {"b": 1}), event("a", ["b"])),
]


@pytest.mark.parametrize(("rule", "field", "bad", "good"), BREACHES)
def test_a_row_that_breaks_a_rule_is_found_and_one_that_just_does_not_is_not(
    rule: str, field: str, bad: dict[Target, Any], good: dict[Target, Any]
) -> None:
    assert (rule, field, [0]) in broken(bad)
    assert broken(good) == []


@pytest.mark.parametrize(("rule", "field", "bad", "good"), BREACHES)
def test_the_broken_row_is_told_apart_in_a_chunk_of_sound_ones(
    rule: str, field: str, bad: dict[Target, Any], good: dict[Target, Any]
) -> None:
    assert (rule, field, [1]) in broken(good, bad, SOUND)


def test_an_array_with_null_or_an_object_is_nested_and_has_a_bad_element() -> None:
    for value in ([None], [{"a": 1}]):
        assert broken(event("a", value)) == [
            ("value-nested", "event.properties.a", [0]),
            ("array-element", "event.properties.a", [0]),
        ]


def test_a_reserved_key_is_judged_by_what_follows_the_dollar_sign() -> None:
    assert broken({**SOUND, KEY: "$a b"}) == [
        ("event-key-charset", "event.key", [0]),
        ("event-key-reserved", "event.key", [0]),
    ]


def test_a_blank_identifier_alone_leaves_the_row_without_a_user() -> None:
    assert broken({KEY: "k", USER: " "}) == [
        ("identifier-blank", "user.userId", [0]),
        ("user-missing", "user", [0]),
    ]


@pytest.mark.parametrize(("side", "most"), [("event", 64), ("user", 128)])
def test_one_property_more_than_allowed_is_too_many(side: str, most: int) -> None:
    fits = {**SOUND, **{(side, "properties", f"p{count}"): 1 for count in range(most)}}
    assert broken(fits) == []
    assert broken(fits, {**fits, (side, "properties", "q"): 1}) == [
        ("properties-too-many", f"{side}.properties", [1])
    ]


def test_names_that_differ_by_case_only_are_found_where_one_row_has_both() -> None:
    both = {**event("AGE", 1), ("event", "properties", "age"): 2}
    assert broken(event("AGE", 1), both, event("age", 1)) == [
        ("property-name-case", "event.properties.age", [1])
    ]
    assert broken({**event("AGE", 1), ("user", "properties", "age"): 2}) == []


def test_a_dot_inside_a_name_is_escaped_in_the_field_of_a_finding() -> None:
    assert broken(event("a.b", {})) == [("value-nested", r"event.properties.a\.b", [0])]


def test_a_key_that_could_not_be_taken_is_not_also_missing() -> None:
    wrong = [
        Finding("type-wrong", "event.key", [0], [1.5], "m"),
        Finding("type-wrong", "user.userId", [0], [1.5], "m"),
    ]
    found = judge(mapped({}, {}, findings=wrong))
    assert [(finding.rule, finding.positions) for finding in found[2:]] == [
        ("event-key-missing", [1]),
        ("user-missing", [1]),
    ]


def test_a_field_that_is_only_unknown_excuses_nothing_missing() -> None:
    unknown = [Finding("field-unknown", name, [0], ["x"], "m") for name in ("user", "event", "")]
    assert [finding.rule for finding in judge(mapped({}, findings=unknown), field_unknown="off")] == [
        "event-key-missing",
        "user-missing",
    ]


def test_the_mappings_own_findings_come_first_and_may_be_turned_off() -> None:
    unknown = [Finding("field-unknown", "x", [0], [1], "m")]
    assert judge(mapped(SOUND, findings=unknown)) == unknown
    assert judge(mapped(SOUND, findings=unknown), field_unknown="off") == []


def test_a_rule_that_is_off_is_not_found() -> None:
    assert judge(mapped({**SOUND, KEY: "a b"}), event_key_charset="off") == []


def test_a_message_says_what_is_allowed_and_what_to_do() -> None:
    (finding,) = judge(mapped({**SOUND, VALUE: "12"}))
    assert (
        finding.message
        == 'this is no number; allowed: event.value is a number; cast it, as in "amount:number"'
    )
    assert finding.values == ["12"]


def timed(*micros: int | None) -> Mapped:
    places = [place for place, value in enumerate(micros) if value is not None]
    times = pd.Series(
        [value for value in micros if value is not None], index=places, dtype="int64", name="ts"
    )
    sound = mapped(*[SOUND] * len(micros))
    return Mapped(sound.size, sound.columns, [], times)


def test_a_time_before_that_of_the_row_before_it_is_out_of_order() -> None:
    (finding,) = judge(timed(1_000_000, 1_000_000, 0, 5_000_000, None, 4_000_000))
    assert (finding.rule, finding.field, finding.positions) == ("time-out-of-order", "ts", [2, 5])
    assert finding.values == ["1970-01-01T00:00:00Z", "1970-01-01T00:00:04Z"]
    (finding,) = judge(timed(-1_000_000, 0, -1, -2_000_000))
    assert finding.values == ["1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:58Z"]


def test_the_row_before_may_stand_in_an_earlier_chunk() -> None:
    judging = Judge(severities())
    assert judging.judge(timed(1, 5), chunk(2)) == []
    assert judging.judge(timed(None), chunk(1, 3)) == []
    assert [finding.positions for finding in judging.judge(timed(4, 4), chunk(2, 4))] == [[0]]


def test_a_row_that_says_the_same_as_an_earlier_one_is_a_duplicate_only_when_asked_for() -> None:
    first = mapped(event("a", [1]), event("a", [2]), event("a", [1]))
    assert judge(first) == []
    judging = Judge(severities({"row-duplicate": "warning"}))
    (finding,) = judging.judge(first, chunk(3))
    assert (finding.rule, finding.positions, finding.values) == ("row-duplicate", [2], [1])
    (finding,) = judging.judge(mapped(SOUND, event("a", [2])), chunk(2, 4))
    assert (finding.positions, finding.values) == ([1], [2])


def test_the_same_value_at_another_target_is_no_duplicate() -> None:
    judging = Judge(severities({"row-duplicate": "warning"}))
    assert judging.judge(mapped(event("a", "x"), user("a", "x"), event("b", "x")), chunk(3)) == []


def test_a_duplicate_is_known_whatever_else_its_column_holds() -> None:
    judging = Judge(severities({"row-duplicate": "warning"}))
    assert judging.judge(mapped(event("a", "x"), event("a", "5")), chunk(2)) == []
    (finding,) = judging.judge(mapped(event("a", 5), event("a", "x")), chunk(2, 3))
    assert (finding.positions, finding.values) == ([1], [1])


def test_only_errors_make_a_row_invalid() -> None:
    rules = severities({"event-key-charset": "error", "event-key-missing": "warning"})
    found = Judge(rules).judge(mapped({**SOUND, KEY: "a b"}, {USER: "u"}, {**SOUND, KEY: "$a"}), chunk(3))
    assert invalid_places(found, rules, 3).tolist() == [True, False, False]


def test_an_empty_chunk_breaks_no_rule() -> None:
    assert judge(Mapped(0, {}, [])) == []


@settings(deadline=None)
@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-1e10, 1e10)
        | st.floats(8e9, 2e10)
        | st.decimals(-(10**9), 10**9, places=6).map(float)
        | st.decimals(-(10**9), 10**9, places=7).map(float),
        min_size=1,
    )
)
@example([4294967296.190511])
@example([1.797693134862316e302])
def test_the_digits_of_a_column_of_floats_are_those_of_their_texts(values: list[float]) -> None:
    def exceeds(value: float) -> bool:
        whole, _, decimals = format(Decimal(repr(value)), "f").lstrip("-").partition(".")
        return len(whole) > 15 or len(decimals.rstrip("0")) > 6

    found = judge(mapped(*[event("n", value) for value in values]))
    positions = [place for finding in found for place in finding.positions]
    assert positions == [place for place, value in enumerate(values) if exceeds(value)]
    assert {finding.rule for finding in found} <= {"number-digits"}


NUMBERS = st.one_of(
    st.integers(-(10**17), 10**17),
    st.sampled_from([10**15, 1 - 10**15, 2**53, 10**400, Decimal("1.50"), Decimal("NaN"), float("inf")]),
    st.floats(),
    st.decimals(-(10**9), 10**9, places=7).map(float),
)


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_numbers_of_several_kinds_are_judged_as_each_of_them_alone(values: list[Any]) -> None:
    together = broken(*[event("n", value) for value in values])
    alone = [[(rule, field) for rule, field, _ in broken(event("n", value))] for value in values]
    found = [(rule, field, place) for rule, field, places in together for place in places]
    assert sorted(found) == sorted((*one, place) for place, those in enumerate(alone) for one in those)


@settings(deadline=None)
@given(st.text(st.sampled_from(["a", "한", ASTRAL]), min_size=400, max_size=600))
def test_lengths_are_counted_in_utf_16_units(text: str) -> None:
    too_long = len(text.encode("utf-16-le")) // 2 > 512
    assert broken({**SOUND, USER: text}) == (
        [("identifier-too-long", "user.userId", [0])] if too_long else []
    )


def test_every_rule_but_the_readers_and_casters_is_broken_by_some_row_here() -> None:
    elsewhere = {
        "row-unreadable",
        "row-fields",
        "cast-failed",
        "time-unreadable",
        "type-wrong",
        "field-unknown",
    }
    alone = {"properties-too-many", "property-name-case", "time-out-of-order", "row-duplicate"}
    assert {rule for rule, *_ in BREACHES} == set(RULES) - elsewhere - alone
