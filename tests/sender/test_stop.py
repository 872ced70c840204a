"""However a run stops: nothing new begins, what is under way is told, nothing is left behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sender.stage import BAD, BROKEN, BUSY, DENIED, OK, REFUSED, Destination, Stage, Witness, event

from replay.errors import SourceError, StorageError
from replay.records import Event, Outcome
from replay.sender.limits import SAME_REFUSALS
from replay.settings import MaxFailures
from replay.sink import Answer, Meaning, Throttle, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


def rows(number: int) -> list[Event]:
    return [event(row) for row in range(number)]


class Underway:
    """A run whose requests are in flight and unanswered."""

    def __init__(self, stage: Stage, running: asyncio.Task[None], gate: asyncio.Event) -> None:
        self.stage = stage
        self.running = running
        self.gate = gate

    @classmethod
    async def of(cls, number: int, destination: Destination | None = None, **settings: object) -> Underway:
        destination = destination or Destination()
        destination.gate = asyncio.Event()
        stage = Stage(destination, **settings)  # type: ignore[arg-type]
        running = asyncio.create_task(stage.send(rows(number)))
        await stage.until(lambda: destination.in_flight == 4)
        return cls(stage, running, destination.gate)


# By hand


def test_a_stop_starts_nothing_and_finishes_what_is_in_flight() -> None:
    async def story() -> None:
        run = await Underway.of(100)
        run.stage.sender.stop("interrupted", "by hand")
        await asyncio.sleep(0)
        assert not run.running.done()
        run.gate.set()
        await run.running
        assert run.stage.witness.outcomes() == dict.fromkeys(range(4), Outcome.DELIVERED)
        assert run.stage.destination.started == [0, 1, 2, 3]
        assert (run.stage.sender.stopped_by, run.stage.sender.stop_reason) == ("interrupted", "by hand")

    asyncio.run(story())


def test_an_abort_ends_at_once_and_what_was_in_flight_is_ambiguous() -> None:
    async def story() -> None:
        run = await Underway.of(100)
        run.stage.sender.stop("interrupted")
        run.stage.sender.abort()
        await run.running
        assert run.stage.witness.outcomes() == dict.fromkeys(range(4), Outcome.AMBIGUOUS)
        assert [answer.meaning for _, answer, _ in run.stage.witness.answers] == [Meaning.UNKNOWN] * 4
        assert all(result.attempts == 1 for result in run.stage.witness.results.values())
        assert run.stage.sender.in_flight == 0

    asyncio.run(story())


@pytest.mark.parametrize("how", ["stop", "abort"])
def test_what_had_not_begun_to_leave_stays_pending_and_is_not_waited_for(how: str) -> None:
    async def story() -> None:
        destination = Destination()
        destination.deaf = True  # still connecting
        stage = Stage(destination)
        running = asyncio.create_task(stage.send(rows(10)))
        await stage.until(lambda: destination.unheard == 4)
        getattr(stage.sender, how)(*["interrupted"] * (how == "stop"))
        await running
        assert stage.witness.results == {}
        assert stage.witness.answers == []

    asyncio.run(story())


def test_a_request_about_to_leave_when_the_run_stops_is_called_off() -> None:
    async def story() -> None:
        class Late(Destination):
            """Reaches its first byte in the very turn in which the run stops."""

            async def attempt(
                self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
            ) -> Answer:
                stage.sender.stop("interrupted")
                return await super().attempt(body, on_start, turn)

        stage = Stage(Late())
        await stage.send(rows(10))
        assert stage.destination.started == []
        assert stage.witness.started == []
        assert stage.witness.results == {}

    asyncio.run(story())


def test_a_stop_ends_the_waits_for_another_try_and_the_doubtful_are_ambiguous() -> None:
    slow = Answer(Meaning.UNKNOWN, "502", 502, retry_after=300.0)
    busy = Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=300.0, throttled=True)

    async def story() -> None:
        stage = Stage(Destination(lambda row, attempt: slow if row == 0 else busy), on_ambiguous="resend")
        running = asyncio.create_task(stage.send(rows(2)))
        await stage.until(lambda: len(stage.witness.answers) == 2)
        stage.sender.stop("interrupted")
        await running
        assert stage.witness.outcomes() == {0: Outcome.AMBIGUOUS}
        assert stage.witness.results[0].attempts == 1

    asyncio.run(story())


def test_a_stop_ends_the_waits_at_the_throttle() -> None:
    async def story() -> None:
        throttle = Throttle(1 / 3600, asyncio.get_running_loop().time)
        stage = Stage(throttle=throttle)
        running = asyncio.create_task(stage.send(rows(10)))
        await stage.until(lambda: 0 in stage.witness.results)
        stage.sender.stop("interrupted")
        await running
        assert stage.destination.started == [0]

    asyncio.run(story())


def test_a_stop_does_not_wait_for_the_next_batch() -> None:
    async def story() -> None:
        closed = asyncio.Event()

        async def stuck() -> AsyncIterator[list[Event]]:
            try:
                yield [event(1)]
                await asyncio.Future()
            finally:
                closed.set()

        stage = Stage()
        running = asyncio.create_task(stage.sender.run(stuck()))
        await stage.until(lambda: 1 in stage.witness.results)
        stage.sender.stop("interrupted")
        await running
        assert closed.is_set()

    asyncio.run(story())


def test_a_stop_while_the_window_is_full_closes_the_batches() -> None:
    async def story() -> None:
        closed = asyncio.Event()

        async def many() -> AsyncIterator[list[Event]]:
            try:
                yield rows(10_000)
            finally:
                closed.set()

        destination = Destination()
        destination.gate = asyncio.Event()
        stage = Stage(destination)
        running = asyncio.create_task(stage.sender.run(many()))
        await stage.until(lambda: destination.in_flight == 4)
        stage.sender.stop("interrupted")
        destination.gate.set()
        await running
        assert closed.is_set()
        assert len(stage.witness.results) == 4

    asyncio.run(story())


def test_a_run_stopped_before_it_began_sends_nothing() -> None:
    async def story() -> None:
        stage = Stage()
        stage.sender.stop("interrupted")
        await stage.send(rows(5))
        assert stage.destination.started == []

    asyncio.run(story())


def test_the_first_word_about_a_stop_stands() -> None:
    async def story() -> None:
        stage = Stage()
        stage.sender.stop("auth", "401")
        stage.sender.stop("interrupted", "by hand")
        stage.sender.abort()
        assert (stage.sender.stopped_by, stage.sender.stop_reason) == ("auth", "401")

    asyncio.run(story())


# Cancelled from outside


def test_cancelled_from_outside_it_finishes_what_is_in_flight_and_lets_the_cancellation_through() -> None:
    async def story() -> None:
        run = await Underway.of(100)
        run.running.cancel()
        await asyncio.sleep(0)
        run.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await run.running
        assert run.stage.witness.outcomes() == dict.fromkeys(range(4), Outcome.DELIVERED)
        assert run.stage.sender.stopped_by == "interrupted"

    asyncio.run(story())


def test_cancelled_twice_it_aborts_and_still_tells_what_was_in_flight() -> None:
    async def story() -> None:
        run = await Underway.of(100)
        run.running.cancel()
        await asyncio.sleep(0)
        run.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run.running
        assert run.stage.witness.outcomes() == dict.fromkeys(range(4), Outcome.AMBIGUOUS)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


# By the destination


def test_a_401_stops_all_and_no_more_than_what_is_in_flight_follows_it() -> None:
    async def story() -> None:
        destination = Destination(lambda row, attempt: DENIED if row >= 10 else OK)
        destination.pauses = lambda: 7
        stage = Stage(destination, concurrency=8)
        await stage.send(rows(500))
        first = destination.log.index(("end", 10))
        after = [what for what, _ in destination.log[first:]].count("start")
        assert after == 0
        assert len(destination.started) <= 10 + 8 + 1
        assert (stage.sender.stopped_by, stage.sender.stop_reason) == ("auth", "401 no key")
        assert stage.witness.outcomes() == dict.fromkeys(range(10), Outcome.DELIVERED)
        assert stage.witness.waits == [row for row, answer, _ in stage.witness.answers if answer is DENIED]

    asyncio.run(story())


def test_a_doubtful_row_that_meets_a_401_is_ambiguous() -> None:
    async def story() -> None:
        stage = Stage(
            Destination(lambda row, attempt: BROKEN if attempt == 1 else DENIED), on_ambiguous="resend"
        )
        await stage.send(rows(1))
        assert stage.witness.outcomes() == {0: Outcome.AMBIGUOUS}

    asyncio.run(story())


def test_fifty_identical_refusals_from_the_start_stop_the_run_and_are_taken_back() -> None:
    async def story() -> None:
        stage = Stage(Destination(lambda row, attempt: BAD), concurrency=8)
        await stage.send(rows(500))
        assert stage.sender.stopped_by == "destination"
        assert stage.sender.stop_reason == f"the first {SAME_REFUSALS} answers were all: 400 no"
        assert SAME_REFUSALS <= len(stage.witness.taken_back) < SAME_REFUSALS + 8
        assert stage.witness.results == {}

    asyncio.run(story())


@pytest.mark.parametrize(
    "other", [OK, BROKEN, Answer(Meaning.ROW_REFUSED, "400 otherwise", 400)], ids=lambda one: one.reason
)
@pytest.mark.parametrize("place", [0, SAME_REFUSALS - 1])
def test_one_other_answer_among_the_first_makes_them_the_rows_own(other: Answer, place: int) -> None:
    async def story() -> None:
        stage = Stage(Destination(lambda row, attempt: other if row == place else BAD), concurrency=1)
        await stage.send(rows(200))
        assert stage.sender.stopped_by is None
        assert len(stage.witness.results) == 200

    asyncio.run(story())


def test_fewer_refusals_than_fifty_are_rejections() -> None:
    async def story() -> None:
        stage = Stage(Destination(lambda row, attempt: BAD))
        await stage.send(rows(SAME_REFUSALS - 1))
        assert set(stage.witness.outcomes().values()) == {Outcome.REJECTED}
        assert stage.sender.stopped_by is None

    asyncio.run(story())


def test_waits_among_the_first_answers_do_not_hide_that_all_are_refused() -> None:
    async def story() -> None:
        stage = Stage(Destination(lambda row, attempt: BUSY if attempt == 1 else BAD))
        await stage.send(rows(200))
        assert stage.sender.stopped_by == "destination"

    asyncio.run(story())


@pytest.mark.parametrize("failure", [BAD, BROKEN, REFUSED], ids=lambda one: one.reason)
def test_too_many_failures_of_any_kind_stop_the_run(failure: Answer) -> None:
    async def story() -> None:
        destination = Destination(lambda row, attempt: failure if row % 2 else OK)
        stage = Stage(destination, concurrency=1, retries=0, max_failures=MaxFailures(rows=5))
        await stage.send(rows(100))
        assert stage.sender.stopped_by == "max-failures"
        assert stage.sender.stop_reason == f"6 of 12 rows failed; the last: {failure.reason}"
        # A connection that failed is the row's own failure only once the next row has got through.
        assert len(stage.witness.results) == 12 + (failure is REFUSED)

    asyncio.run(story())


# By what is broken on our side


def test_a_source_that_fails_stops_the_run_and_what_was_admitted_before_is_pending() -> None:
    async def story() -> None:
        async def broken() -> AsyncIterator[list[Event]]:
            yield rows(2)
            await stage.until(lambda: len(stage.witness.results) == 2)
            raise SourceError("events.csv changed")

        stage = Stage()
        await stage.sender.run(broken())
        assert (stage.sender.stopped_by, stage.sender.stop_reason) == ("source", "events.csv changed")
        assert len(stage.witness.results) == 2

    asyncio.run(story())


@pytest.mark.parametrize("call", ["on_start", "on_answer", "on_end"])
def test_storage_that_fails_stops_the_run_wherever_it_is_noticed(call: str) -> None:
    async def story() -> None:
        stage = Stage(witness=Witness(StorageError("the disk is full"), [call]))
        await stage.send(rows(100))
        assert (stage.sender.stopped_by, stage.sender.stop_reason) == ("storage", "the disk is full")
        assert len(stage.destination.started) <= (0 if call == "on_start" else 4)

    asyncio.run(story())


def test_storage_that_fails_at_the_very_end_is_no_exception_but_a_stop() -> None:
    async def story() -> None:
        witness = Witness(StorageError("the disk is full"), ["on_take_back"])
        stage = Stage(Destination(lambda row, attempt: BAD), witness)
        await stage.send(rows(100))
        assert stage.sender.stopped_by == "destination"

    asyncio.run(story())


def test_storage_that_fails_while_aborted_rows_are_told_is_no_exception_either() -> None:
    async def story() -> None:
        destination = Destination()
        destination.gate = asyncio.Event()
        stage = Stage(destination, Witness(StorageError("the disk is full"), ["on_end"]))
        running = asyncio.create_task(stage.send(rows(100)))
        await stage.until(lambda: destination.in_flight == 4)
        stage.sender.abort()
        await running
        assert len(stage.witness.answers) == 4

    asyncio.run(story())


def test_an_error_that_nobody_foresaw_comes_out_and_the_row_under_way_is_ambiguous() -> None:
    async def story() -> None:
        destination = Destination()
        destination.crash = LookupError("a bug")
        stage = Stage(destination, concurrency=1)
        with pytest.raises(LookupError, match="a bug"):
            await stage.send(rows(10))
        assert stage.witness.outcomes() == {0: Outcome.AMBIGUOUS}
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(story())


def test_an_error_of_the_batches_that_nobody_foresaw_comes_out_when_all_in_flight_is_told() -> None:
    async def story() -> None:
        async def broken() -> AsyncIterator[list[Event]]:
            yield rows(2)
            await stage.until(lambda: stage.sender.in_flight == 2)
            raise LookupError("a bug")

        stage = Stage()
        stage.destination.pauses = lambda: 50
        with pytest.raises(LookupError, match="a bug"):
            await stage.sender.run(broken())
        assert stage.witness.outcomes() == dict.fromkeys(range(2), Outcome.DELIVERED)

    asyncio.run(story())
