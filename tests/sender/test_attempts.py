"""What came back from requests is counted by status and by latency, the same in every process."""

import time

import pytest
from sender.stage import BROKEN, OK, REFUSED, event

from replay.records import LATENCIES, NO_STATUS, Answers
from replay.sender import Attempts
from replay.sink import Tries


def counted(*seconds: float) -> Answers:
    answers = Answers()
    for one in seconds:
        answers.add(200, one)
    return answers


def test_every_request_counts_with_its_status_and_one_that_left_with_its_latency():
    attempts, row = Attempts(), event(1)
    for answer in (OK, BROKEN, REFUSED):
        attempts.start(row)
        attempts.add(row, answer, Tries())
    assert attempts.answers.statuses == {200: 1, NO_STATUS: 2}
    assert sum(attempts.answers.latencies) == 2
    assert 0 < attempts.answers.seconds < time.monotonic() - attempts.first + 1


def test_a_latency_is_in_the_bucket_whose_bound_it_does_not_exceed():
    answers = counted(0.0, LATENCIES[0], LATENCIES[1], 1e9)
    assert (answers.latencies[0], answers.latencies[1], answers.latencies[-1]) == (2, 1, 1)
    assert [*LATENCIES] == sorted(set(LATENCIES))


@pytest.mark.parametrize(("share", "low", "high"), [(0.5, 0.01, 0.015), (0.99, 1.0, 1.5), (0.0, 0.0, 0.015)])
def test_a_percentile_lies_in_the_bucket_of_its_answer(share, low, high):
    answers = counted(*[0.012] * 97, *[1.2] * 3)
    assert low <= (answers.latency(share) or 0.0) <= high


def test_without_answers_there_is_no_percentile_and_beyond_all_buckets_it_is_the_last_bound():
    assert Answers().latency(0.5) is None
    assert counted(1e9).latency(0.5) == LATENCIES[-1]


def test_what_came_since_a_copy_and_what_came_before_add_up():
    answers = counted(0.01, 0.02)
    before = answers.copy()
    answers.add(503, 0.3)
    since = answers.since(before)
    assert (since.statuses, sum(since.latencies), round(since.seconds, 6)) == ({503: 1}, 1, 0.3)
    whole = Answers()
    whole.take([before, since])
    assert (whole.statuses, whole.latencies) == (answers.statuses, answers.latencies)
