"""An outage is told by its signs, keeps everybody back, and ends with one answered probe."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sink.test_throttle import Clock, settle

from replay.sink.answer import Answer, Meaning
from replay.sink.breaker import IN_A_ROW, LAST, OF_LAST, PAUSE_MAX_SECONDS, Breaker
from replay.sink.drought import Drought

OK = Answer(Meaning.ACCEPTED, "200", 200)
BAD = Answer(Meaning.ROW_REFUSED, "400", 400)
BROKEN = Answer(Meaning.UNKNOWN, "the connection was reset")
REFUSED = Answer(Meaning.NOT_ACCEPTED, "no connection: Connection refused", started=False)
PROXY = Answer(Meaning.NOT_ACCEPTED, "the proxy answered 503", 503, started=False)
PATIENCE = [
    Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=1.0, throttled=True),
    Answer(Meaning.NOT_ACCEPTED, "429", 429, throttled=True),
    Answer(Meaning.NOT_ACCEPTED, "503", 503, retry_after=1.0, throttled=True),
    Answer(Meaning.NOT_ACCEPTED, "408", 408),
    Answer(Meaning.NOT_ACCEPTED, "425", 425),
]


class Weather:
    """A breaker and the clock it lives by; probes' pauses have no jitter but the half that is waited."""

    def __init__(self, max_outage: float = 600.0) -> None:
        self.clock = Clock()
        self.drought = Drought(max_outage, self.clock.time)
        self.breaker = Breaker(self.drought, self.clock.time, self.clock.sleep, lambda: 0.0)

    def note(self, answer: Answer, times: int = 1, *, probe: bool = False) -> None:
        for _ in range(times):
            self.drought.note(answer)
            self.breaker.note(answer, probe=probe)

    @property
    def is_open(self) -> bool:
        return self.breaker.outage is not None


@pytest.mark.parametrize("trouble", [BROKEN, REFUSED, PROXY], ids=lambda one: one.reason)
def test_twenty_in_trouble_in_a_row_are_an_outage(trouble: Answer) -> None:
    weather = Weather()
    weather.note(trouble, IN_A_ROW - 1)
    assert not weather.is_open
    weather.note(trouble)
    assert weather.is_open


def test_another_senders_word_opens_it_and_an_answered_probe_closes_it() -> None:
    weather = Weather()
    weather.breaker.open("no connection")
    weather.breaker.open("the first word stands")
    assert weather.breaker.outage is not None
    assert weather.breaker.outage.reason == "no connection"

    async def probe() -> None:
        assert await weather.breaker.turn()
        weather.note(OK, probe=True)

    asyncio.run(probe())
    assert not weather.is_open


@pytest.mark.parametrize("calm", [OK, BAD, *PATIENCE], ids=lambda one: one.reason)
def test_any_answer_breaks_the_row(calm: Answer) -> None:
    weather = Weather()
    weather.note(BROKEN, IN_A_ROW - 1)
    weather.note(calm)
    weather.note(BROKEN, IN_A_ROW - 1)
    assert not weather.is_open


@pytest.mark.parametrize("patience", PATIENCE, ids=lambda one: one.reason)
def test_whoever_asks_for_patience_is_there(patience: Answer) -> None:
    weather = Weather()
    weather.note(patience, 3 * LAST)
    assert not weather.is_open


def test_fifty_of_the_last_thousand_are_an_outage_and_older_ones_are_forgotten() -> None:
    weather = Weather()
    for _ in range(OF_LAST - 1):
        weather.note(BROKEN)
        weather.note(OK)
    weather.note(OK, LAST - 2 * (OF_LAST - 1) + 1)  # the first has just left the thousand
    weather.note(BROKEN)
    assert not weather.is_open
    weather.note(BROKEN, 2)
    assert weather.is_open


def test_an_answered_probe_closes_and_both_counts_begin_anew() -> None:
    async def story() -> None:
        weather = Weather()
        for _ in range(OF_LAST):
            weather.note(BROKEN)
            if not weather.is_open:
                weather.note(OK)
        assert weather.is_open
        assert await weather.breaker.turn()
        weather.note(OK, probe=True)
        assert not weather.is_open
        weather.note(BROKEN, IN_A_ROW - 1)
        assert not weather.is_open
        weather.note(BROKEN)
        assert weather.is_open

    asyncio.run(story())


def test_stragglers_neither_close_nor_prolong_an_outage() -> None:
    async def story() -> None:
        weather = Weather()
        weather.note(BROKEN, IN_A_ROW)
        assert weather.breaker.outage is not None
        next_probe = weather.breaker.outage.next_probe
        weather.note(OK)
        assert weather.is_open
        assert (
            weather.breaker.waiting_for
            == "the destination does not answer (the connection was reset); next probe in 1 s"
        )
        weather.note(BROKEN, 100)
        assert weather.breaker.outage.next_probe == next_probe

    asyncio.run(story())


def test_pauses_between_probes_double_up_to_half_a_minute_and_the_last_probe_is_at_the_deadline() -> None:
    async def story() -> list[float]:
        weather = Weather(max_outage=100.0)
        weather.note(REFUSED, IN_A_ROW)
        probes: list[float] = []
        while weather.drought.too_long(REFUSED) is None:
            assert await weather.breaker.turn()
            probes.append(weather.clock.now)
            weather.note(REFUSED, probe=True)
        return probes

    half = PAUSE_MAX_SECONDS / 2
    pauses = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, half, half, half, half, half]
    expected = [sum(pauses[: number + 1]) for number in range(len(pauses))]
    assert asyncio.run(story()) == [*[moment for moment in expected if moment < 100.0], 100.0]


def test_what_comes_next_is_told() -> None:
    async def story() -> None:
        weather = Weather()
        assert weather.breaker.waiting_for is None
        weather.note(REFUSED, IN_A_ROW)
        words = "the destination does not answer (no connection: Connection refused)"
        assert weather.breaker.waiting_for == f"{words}; next probe in 1 s, the run stops in 600 s"
        await weather.breaker.turn()
        assert weather.breaker.waiting_for == f"{words}; probing, the run stops in 600 s"

    asyncio.run(story())


def test_one_probe_at_a_time_and_all_go_on_when_it_is_answered() -> None:
    async def story() -> None:
        weather = Weather()
        weather.note(BROKEN, IN_A_ROW)
        turns = [asyncio.create_task(weather.breaker.turn()) for _ in range(8)]
        for gone in (1, 2):
            await settle()
            assert [turn.done() for turn in turns] == [True] * gone + [False] * (8 - gone)
            if gone == 1:
                weather.note(BROKEN, probe=True)
        weather.note(OK, probe=True)
        await settle()
        assert [turn.result() for turn in turns] == [True, True, *[False] * 6]

    asyncio.run(story())


def test_one_cancelled_while_it_waits_for_the_probe_leaves_it_to_the_next() -> None:
    async def story() -> None:
        weather = Weather()
        forever = asyncio.Event()

        async def sleep(_: float) -> None:
            await forever.wait()

        breaker = Breaker(weather.drought, weather.clock.time, sleep, lambda: 0.0)
        for _ in range(IN_A_ROW):
            breaker.note(BROKEN)
        first, second = (asyncio.create_task(breaker.turn()) for _ in range(2))
        await settle()
        first.cancel()
        weather.clock.now = 10.0
        forever.set()
        assert await second

    asyncio.run(story())


@settings(deadline=None, max_examples=150)
@given(
    answers=st.lists(
        st.tuples(st.sampled_from([OK, BAD, BROKEN, REFUSED, *PATIENCE]), st.integers(1, 60), st.booleans()),
        max_size=60,
    )
)
def test_a_breaker_does_as_its_words_say(answers: list[tuple[Answer, int, bool]]) -> None:
    """The model keeps every answer since the last closing, and counts anew each time."""

    async def story() -> None:
        weather = Weather()
        past: list[bool] = []
        is_open = False
        for answer, times, probes in answers:
            for _ in range(times):
                probe = is_open and probes
                if probe:
                    assert await weather.breaker.turn()
                weather.note(answer, probe=probe)
                if is_open:
                    if probe and not answer.is_trouble:
                        is_open, past = False, []
                else:
                    past.append(answer.is_trouble)
                    row = len(past) - max((at + 1 for at, one in enumerate(past) if not one), default=0)
                    is_open = row >= IN_A_ROW or sum(past[-LAST:]) >= OF_LAST
                assert weather.is_open == is_open

    asyncio.run(story())
