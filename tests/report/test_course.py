"""How a run went over time is kept in few stretches, whatever its length, and nothing of it gets lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.records import Answers
from replay.report import Course
from replay.report.course import KEYS_MAX, STRETCHES_MAX
from replay.report.curves import POINTS_MAX, curves_of

NOTHING = Answers()


def kept(course, known=None):
    """What the ledger holds after it was told of all news."""
    anew, samples = course.take()
    return dict(samples) if anew or known is None else known | dict(samples)


def test_a_long_run_takes_no_more_room_than_a_short_one():
    course, known, told = Course(), None, Answers()
    course.begin_leg(0.0, 1e9, (0, 0, 0))
    for second in range(1, 20_000):
        told.statuses = {200: second * 100, 400: second}
        course.note(float(second), (second * 100, second, 0), told)
        if second % 50 == 0:
            known = kept(course, known)
    known = kept(course, known)
    assert len(known) <= STRETCHES_MAX + 1
    again = Course(sorted(known.items()))
    assert sum(stretch.delivered for stretch in again.stretches.values()) == 19_999 * 100
    assert sum(stretch.statuses[400] for stretch in again.stretches.values()) == 19_999
    assert again.whole.seconds == 19_999.0
    assert len(curves_of(again).points) <= POINTS_MAX


MOMENTS = st.lists(st.tuples(st.floats(0.001, 400), st.integers(0, 500)), min_size=1, max_size=60)


@given(MOMENTS, st.integers(1, 9))
def test_whatever_happens_when_all_of_it_is_counted_once(moments, taken_every):
    course, known, moment, rows = Course(), None, 100.0, 0
    course.begin_leg(moment, 1e9, (0, 0, 0))
    for number, (pause, more) in enumerate(moments):
        moment, rows = moment + pause, rows + more
        course.note(moment, (rows, 0, 0), Answers({200: rows}))
        if number % taken_every == 0:
            known = kept(course, known)
    known = kept(course, known)
    again = Course(sorted(known.items()))
    assert sum(stretch.delivered for stretch in again.stretches.values()) == rows
    assert sum(point.delivered for point in curves_of(again).points) == rows
    assert max(again.stretches, default=0) < STRETCHES_MAX


def test_a_later_leg_goes_on_where_the_one_before_ended():
    first = Course()
    first.begin_leg(0.0, 1e9, (0, 0, 0))
    first.note(1.0, (50, 0, 0), NOTHING)
    first.count_key("buy", delivered=True)
    ledger = kept(first)
    second = Course(sorted(ledger.items()))
    second.begin_leg(7_000.0, 1e9 + 86_400, (50, 0, 0))
    second.note(7_002.0, (90, 1, 0), NOTHING)
    second.count_key("buy", delivered=False)
    known = Course(sorted(kept(second, ledger).items()))
    assert known.whole.legs == [(0.0, 1e9), (1.0, 1e9 + 86_400)]
    assert known.whole.seconds == 3.0
    assert known.whole.keys == {"buy": (1, 1)}
    assert sum(stretch.delivered for stretch in known.stretches.values()) == 90


def test_event_keys_beyond_the_bound_are_counted_together():
    course = Course()
    course.begin_leg(0.0, 1e9, (0, 0, 0))
    for number in range(KEYS_MAX + 30):
        course.count_key(f"key {number}", delivered=number % 2 == 0)
    course.count_key("key 0", delivered=True, rows=-1)
    course.take()
    assert len(course.whole.keys) == KEYS_MAX
    assert course.whole.keys["key 0"] == (0, 0)
    assert course.whole.others == (15, 15)


def test_percentiles_of_a_point_are_those_of_its_answers():
    course = Course()
    course.begin_leg(0.0, 1e9, (0, 0, 0))
    told = Answers()
    for milliseconds, number in ((2, 50), (90, 45), (2_900, 5)):
        for _ in range(number):
            told.add(200, milliseconds / 1000)
    course.note(0.01, (100, 0, 0), told)
    half, most, nearly_all = curves_of(course).latencies()[0]
    assert half == pytest.approx(0.002, rel=0.3)
    assert most == pytest.approx(0.1, rel=0.3)
    assert nearly_all == pytest.approx(3.0, rel=0.3)


def test_a_pace_is_told_a_second_whatever_the_width_of_a_point():
    course = Course()
    course.begin_leg(0.0, 1e9, (0, 0, 0))
    course.limit = 100.0
    for tenth in range(1, 301):
        course.note(tenth / 10, (tenth * 10, 0, 0), Answers({200: tenth * 10}))
    curves = curves_of(course)
    assert len(curves.points) > 20
    assert curves.a_second("requests") == pytest.approx([100.0] * len(curves.points), rel=0.3)
    assert set(curves.limits()) == {100.0}
