"""The verdict finds what is wrong, each kind by itself, in records made by hand."""

from dataclasses import replace

import pytest
from proof.bench import Seen, Told
from proof.verdict import OUTCOMES, judged, judged_resent, out_of_order

ROWS = 4
GOOD = {1: ["accepted"], 2: ["busy", "accepted"], 3: ["refused"], 4: ["unknown"]}
FAILED = {3: "rejected", 4: "ambiguous"}


def seen(words=GOOD, **more):
    """What the judge saw, where attempts followed one another."""
    moments = iter(range(1, 100))
    attempts = {row: [(next(moments), next(moments), word) for word in words[row]] for row in words}
    return Seen(attempts=attempts, **more)


def told(failed=FAILED, code=4, duplicates=0, **rows):
    counts = dict.fromkeys(OUTCOMES, 0) | {"read": ROWS, "delivered": 2, "rejected": 1, "ambiguous": 1} | rows
    return Told(code, {"rows": counts, "possible_duplicates": duplicates}, failed)


def test_a_run_of_which_all_is_told_passes():
    figures = judged(told(), seen(), ROWS)
    assert figures.faults == ()
    assert (figures.delivered, figures.ambiguous, figures.bound) == (2, 1, 1)


@pytest.mark.parametrize(
    ("said", "saw", "field"),
    [
        (told(), seen(GOOD | {1: ["unknown"]}), "lost"),
        (told(), seen({row: GOOD[row] for row in (2, 3, 4)}), "lost"),
        (told(delivered=1, pending=1), seen(), "lost"),
        (told(), seen(twice=[4]), "twice"),
        (told(FAILED | {4: "exhausted"}, ambiguous=0, exhausted=1), seen(), "unreported"),
        (told(FAILED | {1: "rejected"}, delivered=1, rejected=2), seen(), "unreported"),
    ],
)
def test_what_is_lost_or_sent_twice_or_not_reported_is_counted(said, saw, field):
    assert getattr(judged(said, saw, ROWS), field) == 1


@pytest.mark.parametrize(
    "said",
    [
        told(code=0),
        told(read=5),
        told(rejected=0, delivered=3),
        told({4: "ambiguous"}),
        told(FAILED | {2: "ambiguous"}, delivered=1, ambiguous=2),
    ],
)
def test_numbers_files_and_exit_codes_that_do_not_agree_are_found(said):
    assert judged(said, seen(), ROWS).faults != ()


def test_more_doubts_than_kills_and_lost_answers_explain_are_found():
    said = told(FAILED | {2: "ambiguous"}, delivered=1, ambiguous=2)
    assert judged(said, seen(), ROWS).faults == ("2 ambiguous rows, where 1 may be",)
    assert judged(said, seen(), ROWS, kills=1, concurrency=1).faults == ()


def test_under_resend_what_may_have_arrived_twice_has_to_be_counted():
    saw = seen(GOOD | {1: ["unknown", "accepted"]}, twice=[1])
    assert judged_resent(told(), saw, ROWS).uncounted == 1
    assert judged_resent(told(duplicates=1), saw, ROWS).faults == ()


def test_under_resend_too_a_refused_row_is_not_sent_again():
    saw = seen(GOOD | {3: ["refused", "refused"]}, twice=[3])
    assert judged_resent(told(), saw, ROWS).twice == 1


def test_a_row_that_overtakes_an_earlier_one_of_its_user_is_found():
    before = seen({1: ["accepted"], 3: ["accepted"], 2: ["accepted"]})
    assert out_of_order(before, users=2) == []
    overtaking = replace(before, attempts=before.attempts | {1: [(1, 9, "accepted")]})
    assert out_of_order(overtaking, users=2) == [3]
    assert out_of_order(overtaking, users=3) == []
