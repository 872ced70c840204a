"""What becomes of a row after an answer is a table."""

from __future__ import annotations

import pytest

from replay.records import Outcome
from replay.sink import Again, Answer, End, Meaning, Stop, Tries, Verdict, judge
from replay.sink.retry import BACKOFF_MAX_SECONDS, BACKOFF_SECONDS, backoff

ACCEPTED = Answer(Meaning.ACCEPTED, "200", 200)
REFUSED = Answer(Meaning.ROW_REFUSED, "400", 400)
UNKNOWN = Answer(Meaning.UNKNOWN, "500", 500)
UNKNOWN_WAIT = Answer(Meaning.UNKNOWN, "502", 502, retry_after=7.0)
NOT_ACCEPTED = Answer(Meaning.NOT_ACCEPTED, "no connection", started=False)
THROTTLED = Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=9.0, throttled=True)
TIMED_OUT = Answer(Meaning.NOT_ACCEPTED, "408", 408)
AUTH = Answer(Meaning.RUN_REFUSED, "401", 401, stopped_by="auth")

FRESH = Tries(attempts=1, failures=1)
DOUBTFUL = Tries(attempts=2, failures=2, unknowns=1)
SPENT = Tries(attempts=6, failures=6)
SPENT_IN_DOUBT = Tries(attempts=6, failures=6, unknowns=1)


def almost() -> float:
    return 0.5


@pytest.mark.parametrize(
    ("answer", "tries", "hold", "resend"),
    [
        (ACCEPTED, FRESH, End(Outcome.DELIVERED), End(Outcome.DELIVERED)),
        (ACCEPTED, DOUBTFUL, End(Outcome.DELIVERED), End(Outcome.DELIVERED)),
        (REFUSED, FRESH, End(Outcome.REJECTED), End(Outcome.REJECTED)),
        (REFUSED, DOUBTFUL, End(Outcome.AMBIGUOUS), End(Outcome.AMBIGUOUS)),
        (AUTH, FRESH, Stop("auth", Outcome.PENDING), Stop("auth", Outcome.PENDING)),
        (AUTH, DOUBTFUL, Stop("auth", Outcome.AMBIGUOUS), Stop("auth", Outcome.AMBIGUOUS)),
        (UNKNOWN, Tries(1, 1, 1), End(Outcome.AMBIGUOUS), Again(0.25, everybody=False)),
        (UNKNOWN_WAIT, Tries(1, 1, 1), End(Outcome.AMBIGUOUS), Again(7.0, everybody=True)),
        (UNKNOWN, SPENT_IN_DOUBT, End(Outcome.AMBIGUOUS), End(Outcome.AMBIGUOUS, spent=True)),
        (NOT_ACCEPTED, FRESH, Again(0.25, everybody=True), Again(0.25, everybody=True)),
        (NOT_ACCEPTED, DOUBTFUL, Again(0.5, everybody=True), Again(0.5, everybody=True)),
        (NOT_ACCEPTED, SPENT, End(Outcome.EXHAUSTED, spent=True), End(Outcome.EXHAUSTED, spent=True)),
        (
            NOT_ACCEPTED,
            SPENT_IN_DOUBT,
            End(Outcome.AMBIGUOUS, spent=True),
            End(Outcome.AMBIGUOUS, spent=True),
        ),
        (TIMED_OUT, SPENT, End(Outcome.EXHAUSTED), End(Outcome.EXHAUSTED)),
        (THROTTLED, Tries(attempts=1), Again(9.0, everybody=True), Again(9.0, everybody=True)),
        (THROTTLED, Tries(attempts=100), Again(15.0, everybody=True), Again(15.0, everybody=True)),
    ],
)
def test_every_answer_ends_a_row_or_sends_it_again_or_stops_the_run(
    answer: Answer, tries: Tries, hold: Verdict, resend: Verdict
) -> None:
    assert judge(answer, tries, 5, "hold", almost) == hold
    assert judge(answer, tries, 5, "resend", almost) == resend


def test_no_retries_means_one_attempt() -> None:
    assert judge(TIMED_OUT, Tries().after(TIMED_OUT), 0, "hold", almost) == End(Outcome.EXHAUSTED)


@pytest.mark.parametrize("answer", [NOT_ACCEPTED, UNKNOWN])
def test_what_failed_in_an_outage_costs_no_try(answer: Answer) -> None:
    doubt = answer is UNKNOWN
    assert Tries(2, 1, 1).after(answer, free=True) == Tries(3, 1, 1 + doubt)
    assert Tries(3, 2, 1).given_back() == Tries(3, 0, 1)


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (ACCEPTED, Tries(3, 1, 1)),
        (REFUSED, Tries(3, 1, 1)),
        (UNKNOWN, Tries(3, 2, 2)),
        (NOT_ACCEPTED, Tries(3, 2, 1)),
        (THROTTLED, Tries(3, 1, 1)),
    ],
)
def test_only_a_rows_own_failures_count_against_its_retries(answer: Answer, after: Tries) -> None:
    assert Tries(2, 1, 1).after(answer) == after


@pytest.mark.parametrize("attempts", [1, 2, 3, 6, 7, 50, 10**9])
def test_backoff_doubles_up_to_a_ceiling_and_jitter_takes_all_of_it(attempts: int) -> None:
    ceiling = min(BACKOFF_MAX_SECONDS, BACKOFF_SECONDS * 2 ** min(attempts - 1, 40))
    assert backoff(attempts, lambda: 0.0) == 0.0
    assert backoff(attempts, lambda: 1.0) == ceiling
