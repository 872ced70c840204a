"""A 2xx that is a page or reports an error: no delivery before the first one, and a warning after it."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sender.stage import OK, Destination, Stage, event

from replay.records import Outcome
from replay.sender import Limits
from replay.settings import MaxFailures
from replay.sink import Answer, Meaning, SharedState, State

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Answer(Meaning.ACCEPTED, "200 an HTML page: Sign in", 200, reports_failure=True)


def sent(answers: Callable[[int], Answer], rows: int = 8, *, reached: bool = False) -> Stage:
    """So many rows, four of them in flight at a time."""

    async def story() -> Stage:
        stage = Stage(Destination(lambda row, _: answers(row)), reached=reached)
        await stage.send([event(row) for row in range(1, rows + 1)])
        return stage

    return asyncio.run(story())


def test_the_first_one_stops_the_run_and_all_in_flight_that_get_the_same_are_in_doubt() -> None:
    stage = sent(lambda _: PAGE)
    assert stage.sender.stopped_by == "destination"
    assert stage.witness.outcomes() == dict.fromkeys(stage.destination.started, Outcome.AMBIGUOUS)
    assert 1 <= len(stage.destination.started) <= 4


def test_a_row_in_flight_that_was_plainly_accepted_is_delivered_all_the_same() -> None:
    outcomes = sent(lambda row: PAGE if row == 1 else OK).witness.outcomes()
    assert outcomes[1] is Outcome.AMBIGUOUS
    assert {outcome for row, outcome in outcomes.items() if row > 1} <= {Outcome.DELIVERED}


def test_after_a_delivery_it_is_a_delivery_that_is_marked() -> None:
    stage = sent(lambda row: OK if row < 5 else PAGE)
    assert stage.sender.stopped_by is None
    assert set(stage.witness.outcomes().values()) == {Outcome.DELIVERED}
    assert [row for row, result in sorted(stage.witness.results.items()) if result.reports_failure] == [
        5,
        6,
        7,
        8,
    ]


def test_a_target_that_took_rows_before_is_believed_at_once() -> None:
    stage = sent(lambda _: PAGE, reached=True)
    assert (stage.sender.stopped_by, len(stage.witness.results)) == (None, 8)


def limits(state: State) -> Limits:
    return Limits(MaxFailures(), state, sees_all=False)


@pytest.mark.parametrize("is_shared", [False, True])
def test_all_senders_of_a_run_know_what_one_has_seen(is_shared: bool) -> None:
    with tempfile.TemporaryFile() as file:
        one = SharedState.make(file.fileno()) if is_shared else State()
        other = SharedState(file.fileno()) if is_shared else one
        assert limits(one).believed(OK) is OK
        assert limits(other).believed(PAGE) is PAGE


def test_once_one_was_not_believed_none_is_that_says_the_same() -> None:
    state = State()
    refused = replace(PAGE, meaning=Meaning.DISBELIEVED, stopped_by="destination")
    assert limits(state).believed(PAGE) == refused
    assert limits(state).believed(OK) is OK
    assert limits(state).believed(PAGE) == refused
