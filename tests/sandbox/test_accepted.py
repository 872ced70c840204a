"""What the sandbox accepted can be read afterwards, and is never lost without a word."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import aiohttp
import pytest
from sandbox.client import VALID, Client, Sleep, play, settings

from replay.errors import StorageError, UsageError
from replay.sandbox import Sandbox


def test_accepted_events_are_written_as_received_and_refused_ones_are_not(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    bodies = [VALID, b"[]", '{"event":{"key":"구매","value":1.50},"user":{"userId":"007"}}'.encode()]
    play(Sandbox(settings(accepted=accepted)), lambda client: client.post_all(bodies))
    assert accepted.read_bytes() == bodies[0] + b"\n" + bodies[2] + b"\n"


def test_a_body_of_several_lines_becomes_one_line_and_loses_no_digit(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    body = b'{"event": {"key": "a b",\r\n "value": 1.50},\n"user": {"userId": "1"}}'
    play(Sandbox(settings(accepted=accepted)), lambda client: client.post(body))
    assert accepted.read_bytes() == b'{"event":{"key":"a b","value":1.50},"user":{"userId":"1"}}\n'


def test_what_an_earlier_sandbox_accepted_stays_in_the_file(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    for _ in range(2):
        play(Sandbox(settings(accepted=accepted)), Client.post)
    assert accepted.read_bytes() == (VALID + b"\n") * 2


def test_the_accepted_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    play(Sandbox(settings(accepted=accepted)), Client.post)
    assert stat.S_IMODE(accepted.stat().st_mode) == 0o600


def test_accepted_events_reach_the_file_each_second_and_not_only_at_the_end(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    sleep = Sleep()

    async def story(client: Client) -> bytes:
        await client.post()
        asked = len(sleep.asked)
        while len(sleep.asked) < asked + 2:  # noqa: ASYNC110 - turns of a sleep that takes no time
            await asyncio.sleep(0)
        return accepted.read_bytes()

    assert play(Sandbox(settings(accepted=accepted), sleep=sleep), story) == VALID + b"\n"
    assert set(sleep.asked) == {1.0}


def test_an_accepted_file_that_cannot_be_opened_is_refused_in_words(tmp_path: Path) -> None:
    accepted = tmp_path / "nowhere" / "accepted.jsonl"
    with pytest.raises(UsageError, match=r"--accepted .*nowhere.*No such file.*folder that exists"):
        play(Sandbox(settings(accepted=accepted)), Client.post)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_ends_the_sandbox_in_words() -> None:
    sandbox = Sandbox(settings(accepted=Path("/dev/full")), sleep=Sleep())

    async def scene() -> None:
        async with sandbox, aiohttp.ClientSession() as session:
            await Client(session, sandbox.url).post()
            await sandbox.serve_until(asyncio.Event())

    with pytest.raises(StorageError, match=r"/dev/full: writing failed \(No space left on device\)"):
        asyncio.run(scene())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_an_event_that_cannot_be_written_down_is_no_success() -> None:
    big = VALID + b" " * 500_000  # more than any buffer holds back
    sandbox = Sandbox(settings(accepted=Path("/dev/full")))
    with pytest.raises(StorageError):
        play(sandbox, lambda client: client.post_all([big, VALID]))
    assert sandbox.counts == {500: 2}
