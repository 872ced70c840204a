"""The pieces that the story is made of, each by itself."""

import asyncio
import threading

import numpy as np
import pytest

from replay.errors import SourceError
from replay.mapping import Mapping
from replay.pipeline import make_job, make_plan, portion
from replay.pipeline.choosing import Fate, Known
from replay.pipeline.feed import ahead, batches
from replay.pipeline.sketch import EXACT_MAX, Distinct
from replay.settings import ReadSettings
from replay.source import find

MAPPING = Mapping.parse({"event": {"key": "event"}, "user": {"userId": "user"}}, "a test")


def hashes(start, end):
    return np.random.default_rng(3).integers(0, 2**64, size=end, dtype=np.uint64)[start:]


def planned(path, limit=None):
    read = ReadSettings()
    return make_plan(portion(make_job(find([str(path)], read), MAPPING, read), limit, None), Known())


def fed(plan):
    return list(batches(plan, Known(), {plan.sources[0].uid: 7}))


def rows_of(path, lines):
    path.write_text("\n".join(("event,user", *lines, "")))
    return path


def test_distinct_values_are_counted_exactly_up_to_the_bound():
    distinct = Distinct()
    for start in range(0, EXACT_MAX, 7_000):
        distinct.add(hashes(start, min(start + 8_000, EXACT_MAX)))
    assert distinct.exact
    assert distinct.count() == EXACT_MAX


def test_distinct_values_beyond_the_bound_are_estimated_within_two_percent_and_marked():
    distinct = Distinct()
    for start in range(0, 1_000_000, 50_000):
        distinct.add(hashes(start, start + 60_000))
    assert not distinct.exact
    assert distinct.count() == pytest.approx(1_010_000, rel=0.02)


def test_a_value_seen_again_counts_once():
    distinct = Distinct()
    for _ in range(3):
        distinct.add(hashes(0, 50))
    assert distinct.count() == 50


@pytest.mark.parametrize(
    ("limit", "valid", "invalid", "skipped"),
    [(None, 3, 2, 0), (1, 1, 0, 4), (2, 2, 1, 2), (3, 3, 2, 0), (9, 3, 2, 0)],
)
def test_a_plan_counts_what_stands_before_the_last_row_of_its_limit(tmp_path, limit, valid, invalid, skipped):
    plan = planned(rows_of(tmp_path / "rows.csv", ["a,1", ",2", "b,3", "short", "c,4"]), limit)
    assert (plan.read, plan.valid, plan.invalid, plan.skipped.total()) == (5, valid, invalid, skipped)


@pytest.mark.parametrize("limit", [None, 1, 2, 3, 3000, 4000, 4001, 9999])
def test_the_feed_gives_what_was_planned(tmp_path, limit):
    lines = (f"a,{n}" if n % 3 else "short" if n % 2 else f",{n}" for n in range(6000))
    plan = planned(rows_of(tmp_path / "rows.csv", lines), limit)
    chosen = [batch.chosen for batch in fed(plan) if batch.chosen is not None]
    events = [event.row for batch in fed(plan) for event in batch.events]
    invalid = sum(one.count(Fate.INVALID) for one in chosen)
    assert (len(events), invalid) == (plan.valid, plan.invalid)
    assert events == sorted(set(events))
    assert plan.read == plan.valid + plan.invalid + plan.skipped.total() == 6000


def test_a_source_that_changed_between_plan_and_feed_is_refused(tmp_path):
    path = rows_of(tmp_path / "rows.csv", ["a,1"])
    plan = planned(path)
    path.write_text(path.read_text() + "b,2\n")
    with pytest.raises(SourceError, match="changed"):
        fed(plan)
    path.unlink()
    with pytest.raises(SourceError, match=r"rows\.csv"):
        fed(plan)


def taken(items, number=None):
    async def take():
        seen = []
        stream = ahead(items)
        async for item in stream:
            seen.append(item)
            if len(seen) == number:
                break
        await stream.aclose()
        return seen

    return asyncio.run(take())


def test_what_a_thread_makes_ahead_comes_in_order():
    assert taken(n for n in range(50)) == list(range(50))


def test_an_exception_in_the_thread_comes_out_where_the_items_are_awaited():
    def broken():
        yield 1
        raise SourceError("gone")

    with pytest.raises(SourceError, match="gone"):
        taken(broken())


def test_nothing_is_left_running_or_open_when_nobody_wants_more():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.set()

    assert taken(endless(), number=2) == [1, 1]
    assert closed.is_set()


def test_a_thread_at_work_is_waited_for_however_often_one_is_cancelled():
    closed, at_work, going_on = threading.Event(), threading.Event(), threading.Event()

    def slow():
        try:
            at_work.set()
            going_on.wait(300)
            yield 1
        finally:
            closed.set()

    async def cancel_twice():
        taking = asyncio.create_task(anext(ahead(slow())))
        await asyncio.to_thread(at_work.wait, 300)
        for _ in range(2):
            taking.cancel()
            await asyncio.sleep(0.01)
            assert not taking.done()
        going_on.set()
        with pytest.raises(asyncio.CancelledError):
            await taking

    asyncio.run(cancel_twice())
    assert closed.is_set()
