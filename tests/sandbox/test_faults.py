"""The sandbox is as slow, as faulty and as strict about pace as it is asked to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sandbox.client import VALID, Client, Clock, Sleep, play, settings

from replay.sandbox import Fail, Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def test_latency_is_slept_before_each_answer() -> None:
    sleep = Sleep()
    play(Sandbox(settings(latency=2.5), sleep=sleep), lambda client: client.post_all([VALID, b"["]))
    assert sleep.asked == [2.5, 2.5]


def test_a_share_of_the_requests_fails_as_asked_and_is_not_accepted(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    sandbox = Sandbox(settings(fail=(Fail(503, 0.2), Fail(400, 0.1)), seed=7, accepted=accepted))
    play(sandbox, lambda client: client.post_all([VALID] * 500))
    assert 70 <= sandbox.counts[503] <= 130
    assert 30 <= sandbox.counts[400] <= 70
    assert sandbox.counts.total() == 500
    assert len(accepted.read_bytes().splitlines()) == sandbox.counts[200]


def test_the_same_seed_fails_the_same_requests() -> None:
    def statuses(seed: int) -> list[int]:
        sandbox = Sandbox(settings(fail=(Fail(503, 0.5),), seed=seed))
        return play(sandbox, lambda client: client.post_all([VALID] * 40))

    assert statuses(1) == statuses(1) != statuses(2)


@pytest.mark.parametrize(("share", "status"), [(0.0, 200), (1.0, 520)])
def test_a_share_of_nothing_never_fails_and_one_of_all_always(share: float, status: int) -> None:
    sandbox = Sandbox(settings(fail=(Fail(520, share),)))
    play(sandbox, lambda client: client.post_all([VALID] * 20))
    assert sandbox.counts == {status: 20}


def test_a_status_that_no_standard_names_still_has_a_code() -> None:
    sandbox = Sandbox(settings(fail=(Fail(520, 1.0),)))
    _, _, body = play(sandbox, lambda client: client.ask(data=VALID))
    assert json.loads(body)["code"] == "STATUS_520"


def test_a_second_holds_as_many_requests_as_the_rate_limit_says() -> None:
    clock = Clock()

    async def story(client: Client) -> list[list[int]]:
        seconds = []
        for _ in range(3):
            seconds.append(await client.post_all([VALID] * 4))
            clock.now += 1.0
        return seconds

    assert play(Sandbox(settings(rate_limit=3.0), clock=clock), story) == [[200, 200, 200, 429]] * 3


@pytest.mark.parametrize(("rate_limit", "seconds"), [(100.0, "1"), (0.25, "4")])
def test_a_429_says_after_how_many_seconds_to_try_again(rate_limit: float, seconds: str) -> None:
    clock = Clock()

    async def story(client: Client) -> str:
        for _ in range(max(1, int(rate_limit))):
            assert await client.post() == 200
        status, headers, _ = await client.ask(data=VALID)
        assert status == 429
        clock.now += float(headers["Retry-After"])
        assert await client.post() == 200
        return headers["Retry-After"]

    assert play(Sandbox(settings(rate_limit=rate_limit), clock=clock), story) == seconds


def test_requests_evenly_spaced_at_the_rate_limit_all_pass() -> None:
    clock = Clock()

    async def story(client: Client) -> None:
        await client.post_all([VALID] * 30)  # nothing is left over to make up for a hair's breadth
        for _ in range(100):
            clock.now += 1 / 30
            await client.post()

    sandbox = Sandbox(settings(rate_limit=30.0), clock=clock)
    play(sandbox, story)
    assert sandbox.counts == {200: 130}
