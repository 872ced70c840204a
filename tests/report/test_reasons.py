"""Reasons in groups: what differs in a single row or request is one reason, and memory stays bounded."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from replay.reasons import KEPT_MAX, LISTED_MAX, Reasons, group_of, joined, normalised, parted

LATE = "late at {}, request {}"


@pytest.mark.parametrize(
    "reasons",
    [
        ("400 request 8f3a-11 failed", "400 request 99c0-77 failed"),
        ("400 no 550e8400-e29b-41d4-a716-446655440000.", "400 no 6ba7b810-9dad-11d1-80b4-00c04fd430c8."),
        ("422 late at 2026-11-23T08:12:10.123Z", "422 late at 2026-12-01T23:59:59+09:00"),
        ("422 late at Fri, 27 Nov 2026 06:42:38 GMT", "422 late at Mon, 01 Dec 2026 16:02:01 GMT"),
        ("422 late at 3:04 PM", "422 late at 11:59 AM"),
        ("400 value 12 is over 10", "400 value 1e9 is over 7"),
        ('400 "a b" is no name', '400 "c" is no name'),
        ("400 'a' isn't known", "400 'it' isn't known"),
        ("400 “가나” 없음", "400 “다” 없음"),
        ("400 requestId: abcdefghijkl", "400 requestId: mnopqrstuvwx"),
        ("400 trace=abc", "400 trace=xyz"),
        ("400 deadbeef", "400 cafebabe"),
        ("400 see QwErTyUiOpAsDfGhJk", "400 see ZxCvBnMmLkJhGfDsQw"),
        ("left ambiguous by run 20261123-081210-3f2a", "left ambiguous by run 20261124-101010-aaaa"),
    ],
)
def test_reasons_that_differ_in_what_one_request_has_are_one(reasons: tuple[str, str]) -> None:
    first, second = map(normalised, reasons)
    assert first == second
    assert first[:4] == reasons[0][:4]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("400 event is required", "400 user is required"),
        ("400 no", "422 no"),
        ("400 invalid: event", "400 invalid: user"),
        ("400 may not", "400 must not"),
        ("cast-failed: 'a' is no number", "value-unmapped: 'a' is no number"),
        ("400 missingRequiredProperty", "400 unknownRequiredProperty"),
    ],
)
def test_reasons_that_say_different_things_are_two(first: str, second: str) -> None:
    assert normalised(first) != normalised(second)


def body(user: str, memo: str = "") -> bytes:
    return json.dumps({"user": {"userId": user}, "event": {"properties": {"memo": memo}}}).encode()


def group(reason: str, *values: str) -> str:
    return group_of(reason, body(*values)) or normalised(reason)


def test_the_values_of_the_row_are_no_part_of_its_group() -> None:
    assert group("400 user kim is unknown", "kim") == group("400 user LEE is unknown", "lee")
    assert group("400 no 김 민수 here", "김 민수") == group("400 no 박찬 here", " 박찬 ")
    assert group("400 say kim lee", "kim lee", "kim") == group("400 say park", "park", "x")


def test_a_value_that_the_end_of_a_reason_cut_off_is_no_part_of_it_either() -> None:
    reasons = {group(f"400 not allowed: {letter * 280}", letter * 64_000) for letter in "abc"}
    assert len(reasons) == 1


def test_a_value_within_a_longer_word_is_none() -> None:
    assert group("400 the event is late", "even") == "400 the event is late"


def test_a_reason_and_its_group_go_through_one_text() -> None:
    assert parted(joined("400 kim", "400 …")) == ("400 kim", "400 …")
    assert parted(joined("400 a", "")) == ("400 a", "")


def test_a_group_of_one_wording_keeps_its_words_and_another_shows_what_they_share() -> None:
    reasons = Reasons()
    for _ in range(3):
        reasons.add("rejected", 400, "400 row 7 is bad")
    assert reasons.listed() == [
        {"outcome": "rejected", "status": 400, "reason": "400 row 7 is bad", "rows": 3}
    ]
    reasons.add("rejected", 400, "400 row 8 is bad")
    assert reasons.listed() == [
        {"outcome": "rejected", "status": 400, "reason": "400 row … is bad", "rows": 4}
    ]


def word(number: int) -> str:
    """A word without digits for each number."""
    return "".join("klmnopqrst"[int(digit)] for digit in str(number))


def test_the_rest_are_summed_as_other_by_outcome_and_the_counts_add_up() -> None:
    reasons = Reasons()
    reasons.skip("delivered-before", 2)
    for number in range(5_000):
        reasons.add("rejected" if number % 3 else "invalid", None, f"no {word(number)} here", rows=1)
    for _ in range(9):
        reasons.add("rejected", None, f"no {word(1)} here")
    found = reasons.listed()
    assert len(found) <= LISTED_MAX
    assert found[0] == {"outcome": "rejected", "status": None, "reason": f"no {word(1)} here", "rows": 10}
    sums: Counter[str] = Counter()
    for one in found:
        sums[one["outcome"]] += one["rows"]
    assert sums == {"rejected": 3_333 + 9, "invalid": 1_667, "skipped": 2}
    assert {one["outcome"] for one in found if one["reason"] == "other"} == {"rejected", "invalid"}
    assert {"outcome": "skipped", "status": None, "reason": "delivered-before", "rows": 2} in found


def test_a_million_wordings_do_not_make_it_grow() -> None:
    reasons = Reasons()
    for number in range(20_000):
        reasons.add("rejected", 400, f"400 {word(number)}")
    assert len(reasons._rows) == len(reasons._words) == KEPT_MAX
    reasons.add("rejected", 400, f"400 {word(19_999)}", rows=-1)
    assert sum(one["rows"] for one in reasons.listed()) == 19_999


def test_what_was_counted_elsewhere_is_added_group_by_group() -> None:
    one, other = Reasons(), Reasons()
    one.add("rejected", 400, "400 user kim", "400 user …")
    other.add("rejected", 400, "400 user lee", "400 user …")
    one.merge(other)
    assert one.listed() == [{"outcome": "rejected", "status": 400, "reason": "400 user …", "rows": 2}]
