"""An outage costs time and no rows; if it lasts too long the run stops, and can go on later."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sender.skipping import skip
from sender.stage import BAD, BROKEN, OK, REFUSED, Destination, Stage, event

from replay.errors import UsageError
from replay.records import Event, Outcome
from replay.sender import NO_ROWS
from replay.settings import SendSettings
from replay.sink import Answer, Meaning, Throttle, Turn
from replay.sink.breaker import IN_A_ROW
from replay.sink.budget import LEAST_A_SECOND, SAVED_MAX, SHARE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

BUSY = Answer(Meaning.NOT_ACCEPTED, "429", 429, throttled=True)
BUSY_SECOND = Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=1.0, throttled=True)
TIMED_OUT = Answer(Meaning.NOT_ACCEPTED, "408", 408)


def now() -> float:
    return asyncio.get_running_loop().time()


def rows(number: int, users: int = 10_000) -> list[Event]:
    return [event(row, f"u:{row % users}") for row in range(number)]


def sent(
    events: list[Event], answers: Callable[[int, int], Answer], rate: float | None = 100.0, **settings: object
) -> Stage:
    """A run on skipped time."""

    async def story() -> Stage:
        stage = Stage(Destination(answers), throttle=Throttle(rate, now), rate=rate, **settings)  # type: ignore[arg-type]
        await stage.send(events)
        return stage

    stage = skip(story())
    assert isinstance(stage, Stage)
    return stage


def down(start: float, end: float, trouble: Answer) -> Callable[[int, int], Answer]:
    return lambda row, attempt: trouble if start <= now() < end else OK


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize("users", [1, 3, 10_000])
def test_a_server_that_comes_back_gets_every_row_whatever_the_retries(retries: int, users: int) -> None:
    stage = sent(rows(300, users), down(1.0, 120.0, REFUSED), retries=retries)
    assert stage.sender.stopped_by is None
    assert Counter(stage.witness.outcomes().values()) == {Outcome.DELIVERED: 300}


@pytest.mark.parametrize("retries", [0, 1, 5])
@pytest.mark.parametrize("users", [1, 3, 10_000])
def test_a_dead_server_stops_the_run_and_fails_no_row(retries: int, users: int) -> None:
    stage = sent(rows(300, users), lambda row, attempt: REFUSED, retries=retries)
    assert stage.sender.stopped_by == "outage"
    assert stage.sender.stop_reason == (
        "no row got through for 600 s (--max-outage 600); the last answer: no connection"
    )
    assert stage.witness.results == {}
    assert len(stage.destination.started) < 100


@pytest.mark.parametrize("retries", [0, 2])
def test_the_last_rows_of_a_run_are_given_up_after_their_tries_when_nothing_else_can_tell(
    retries: int,
) -> None:
    stage = sent(rows(5), lambda row, attempt: REFUSED, retries=retries)
    assert stage.sender.stopped_by is None
    assert {(one.outcome, one.attempts) for one in stage.witness.results.values()} == {
        (Outcome.EXHAUSTED, retries + 1)
    }
    assert len(stage.witness.results) == 5


@pytest.mark.parametrize("number", [1, 2, 19, 20, 21, 40])
@pytest.mark.parametrize("users", [1, 10_000])
@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("trouble", [REFUSED, BROKEN], ids=lambda one: one.reason)
def test_a_short_file_against_a_dead_server_always_comes_to_an_end(
    number: int, users: int, retries: int, trouble: Answer
) -> None:
    for on_ambiguous in ("hold", "resend"):
        stage = sent(
            rows(number, users), lambda row, attempt: trouble, retries=retries, on_ambiguous=on_ambiguous
        )
        ended = len(stage.witness.results)
        assert ended == number or stage.sender.stopped_by == "outage"


def test_a_row_that_fails_alone_is_given_up_by_the_next_answer_of_another() -> None:
    stage = sent(rows(30), lambda row, attempt: REFUSED if row == 3 else OK, retries=0, concurrency=1)
    assert stage.witness.results[3].outcome is Outcome.EXHAUSTED
    assert stage.destination.attempts[3] == 1
    assert len(stage.witness.results) == 30


def test_a_late_answer_to_an_earlier_request_gives_nobody_up() -> None:
    """The requests on their way when a server dies may still be answered: that shows nothing."""

    async def story() -> None:
        destination = Destination(lambda row, attempt: OK if row == 0 else REFUSED)
        stage = Stage(destination, throttle=Throttle(10.0, now), retries=0, concurrency=2)
        answered = stage.destination.gate = asyncio.Event()
        running = asyncio.create_task(stage.send(rows(40)))
        await asyncio.sleep(0.05)  # row 0 is under way, row 1 not yet
        assert stage.destination.started == [0]
        stage.destination.gate = None
        asyncio.get_running_loop().call_later(0.55, answered.set)
        await running
        assert Outcome.EXHAUSTED not in stage.witness.outcomes().values()
        assert stage.sender.stopped_by == "outage"

    skip(story())


def test_rows_that_come_late_may_still_tell_about_those_that_failed_before() -> None:
    async def story() -> None:
        async def slow() -> AsyncIterator[list[Event]]:
            yield rows(3)
            await asyncio.sleep(10.0)
            yield [event(row) for row in range(3, 10)]

        stage = Stage(Destination(down(0.0, 5.0, REFUSED)), throttle=Throttle(100.0, now), retries=0)
        await stage.sender.run(slow())
        assert stage.witness.outcomes() == dict.fromkeys(range(10), Outcome.DELIVERED)

    skip(story())


def test_an_outage_leaves_at_most_what_opened_it_what_was_in_flight_and_its_probes_ambiguous() -> None:
    stage = sent(rows(500), down(1.0, 60.0, BROKEN), concurrency=8)
    counts = Counter(stage.witness.outcomes().values())
    assert counts[Outcome.AMBIGUOUS] <= IN_A_ROW + 8 + 7
    assert counts[Outcome.DELIVERED] == 500 - counts[Outcome.AMBIGUOUS]
    assert stage.sender.stopped_by is None


def test_during_an_outage_there_is_one_request_at_a_time() -> None:
    async def story() -> list[int]:
        others: list[int] = []

        def answers(row: int, attempt: int) -> Answer:
            if "probing" in (stage.sender.waiting_for or ""):
                others.append(stage.destination.in_flight)
            return down(1.0, 60.0, BROKEN)(row, attempt)

        stage = Stage(Destination(answers), throttle=Throttle(1000.0, now), rate=1000.0, concurrency=16)
        stage.destination.pauses = lambda: 3
        await stage.send(rows(3000))
        return others

    others = skip(story())
    assert len(others) >= 3
    assert set(others) == {0}


def test_a_request_that_had_not_begun_to_leave_when_an_outage_began_is_called_off() -> None:
    class Slow(Destination):
        """Row 99 needs long to connect."""

        async def attempt(
            self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
        ) -> Answer:
            if body == b"99" and now() < 5.0:
                await asyncio.sleep(5.0 - now())
            return await super().attempt(body, on_start, turn)

    async def story() -> None:
        destination = Slow(down(0.0, 10.0, BROKEN))
        stage = Stage(destination, throttle=Throttle(1000.0, now), concurrency=8)
        await stage.send([event(99), *(event(row) for row in range(100, 200))])
        assert stage.witness.results[99].outcome is Outcome.DELIVERED
        assert destination.attempts[99] == 1

    skip(story())


def test_rows_get_their_tries_back_when_the_breaker_opens() -> None:
    """Every row fails twice in the outage, and has both of its tries left after it."""

    def answers(row: int, attempt: int) -> Answer:
        return REFUSED if now() < 30.0 or attempt < 2 else OK

    stage = sent(rows(100), answers, retries=1, concurrency=1)
    assert set(stage.witness.outcomes().values()) == {Outcome.DELIVERED}


# A destination that only asks for patience


@pytest.mark.parametrize("busy", [BUSY, BUSY_SECOND], ids=["without Retry-After", "with"])
@pytest.mark.parametrize("rate", [100.0, None])
def test_a_destination_that_answers_429_for_ever_stops_the_run_at_max_outage(
    busy: Answer, rate: float | None
) -> None:
    async def story() -> float:
        destination, throttle = Destination(lambda row, attempt: busy), Throttle(rate, now)
        stage = Stage(destination, throttle=throttle, random=lambda: 0.5, rate=rate, max_outage=30.0)
        await stage.send(rows(50))
        assert stage.sender.stopped_by == "outage"
        assert stage.sender.stop_reason is not None
        assert stage.sender.stop_reason.endswith("(--max-outage 30); the last answer: 429")
        assert stage.witness.results == {}
        return now()

    assert 29.0 <= skip(story()) <= 30.5


def test_a_wish_for_more_patience_than_is_left_stops_the_run_at_once() -> None:
    wish = Answer(Meaning.NOT_ACCEPTED, "503", 503, retry_after=601.0, throttled=True)
    stage = sent(rows(50), lambda row, attempt: wish if row == 10 else OK, concurrency=1)
    assert stage.sender.stopped_by == "outage"
    assert stage.sender.stop_reason == (
        "no row got through for 0 s, and it asks for 601 s more (--max-outage 600); the last answer: 503"
    )
    assert set(stage.witness.results) == set(range(10))


def test_one_row_that_gets_through_in_time_lets_the_run_go_on() -> None:
    def answers(row: int, attempt: int) -> Answer:
        return OK if now() % 25.0 < 5.0 else BUSY_SECOND

    stage = sent(rows(600), answers, rate=10.0, max_outage=30.0)
    assert stage.sender.stopped_by is None
    assert len(stage.witness.results) == 600


def test_after_a_retry_after_nobody_starts_before_it_is_over() -> None:
    starts: list[float] = []

    def answers(row: int, attempt: int) -> Answer:
        starts.append(now())
        if len(starts) == 20:
            return Answer(Meaning.UNKNOWN, "502", 502, retry_after=12.0)
        return OK

    sent(rows(100), answers)
    assert starts[20] >= starts[19] + 12.0


# The words for a wait, and what is allowed meanwhile


def test_why_a_run_waits_can_be_read_from_outside() -> None:
    told: set[str | None] = set()

    async def story() -> None:
        wish = Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=12.0, throttled=True)
        stage = Stage(
            Destination(lambda row, attempt: wish if (row, attempt) == (10, 1) else OK),
            throttle=Throttle(100.0, now),
        )
        running = asyncio.create_task(stage.send(rows(50)))
        assert stage.sender.waiting_for == NO_ROWS
        while not running.done():
            told.add(stage.sender.waiting_for)
            await asyncio.sleep(0.5)

    skip(story())
    assert told == {None, NO_ROWS, *(f"Retry-After: {left} s more" for left in range(1, 13))}


def test_a_429_lowers_the_rate_that_can_be_read_and_it_climbs_back() -> None:
    rates: list[float | None] = []

    async def story() -> None:
        stage = Stage(
            Destination(lambda row, attempt: BUSY if (row, attempt) == (100, 1) else OK),
            throttle=Throttle(100.0, now),
        )
        running = asyncio.create_task(stage.send(rows(5000)))
        while not running.done():
            rates.append(stage.sender.rate_now)
            await asyncio.sleep(1.0)

    skip(story())
    assert rates[0] == 100.0
    assert min(rate for rate in rates if rate is not None) == pytest.approx(70.0, abs=1.5)
    assert rates[-1] == 100.0


def test_without_a_rate_a_429_lowers_the_number_in_flight_never_below_one() -> None:
    async def story() -> None:
        stage = Stage(
            Destination(lambda row, attempt: BUSY if row < 40 and attempt < 9 else OK), concurrency=10
        )
        seen: list[tuple[int, int]] = []

        def look() -> int:
            seen.append((stage.destination.in_flight, stage.sender.allowed_in_flight))
            return 2

        stage.destination.pauses = look
        await stage.send(rows(1000))
        assert len(stage.witness.results) == 1000
        allowed = [most for _, most in seen]
        assert (max(allowed), min(allowed)) == (10, 1)
        assert max(in_flight for in_flight, _ in seen) == 10
        assert min(in_flight for in_flight, most in seen if most == 1) == 1

    asyncio.run(story())


# Repeats


def test_about_a_tenth_of_the_requests_may_be_repeats_and_every_row_still_gets_its_tries() -> None:
    made: list[tuple[float, int]] = []

    def answers(row: int, attempt: int) -> Answer:
        made.append((now(), attempt))
        return TIMED_OUT if row % 3 == 0 and attempt <= 2 else OK

    stage = sent(rows(3000), answers, rate=None, concurrency=16)
    assert set(stage.witness.outcomes().values()) == {Outcome.DELIVERED}
    last_first_try = max(at for at, (_, attempt) in enumerate(made) if attempt == 1)
    repeats = sum(attempt > 1 for _, attempt in made[:last_first_try])
    seconds = made[last_first_try][0] - made[0][0]
    assert repeats <= SAVED_MAX + SHARE * last_first_try + LEAST_A_SECOND * seconds + 1


def test_a_row_that_waits_is_told_of_unless_it_may_have_arrived() -> None:
    def answers(row: int, attempt: int) -> Answer:
        firsts = {0: REFUSED, 1: TIMED_OUT, 2: BUSY, 3: BROKEN, 4: BAD}
        return firsts.get(row, OK) if attempt == 1 else (BUSY if attempt == 2 else OK)

    stage = sent(rows(6), answers, on_ambiguous="resend")
    assert Counter(stage.witness.waits) == {0: 2, 1: 2, 2: 2}


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_outage_that_may_last_no_time_or_for_ever_is_wrong_usage(seconds: float) -> None:
    with pytest.raises(UsageError, match="--max-outage"):
        SendSettings(max_outage=seconds)
