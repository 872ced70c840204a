"""The sandbox answers as the documented API does, over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path

import pytest
from sandbox.client import HEADERS, VALID, Client, play, settings

from replay.sandbox import Sandbox

SAMPLES = Path(__file__).parents[2] / "sample_data"


def answer_to(body: bytes) -> tuple[int, str]:
    async def story(client: Client) -> tuple[int, str]:
        status, _, answer = await client.ask(data=body)
        return status, json.loads(answer)["message"] if answer else ""

    return play(Sandbox(settings()), story)


# A valid request


def test_a_valid_event_is_answered_200_with_nothing_in_the_body() -> None:
    sandbox = Sandbox(settings())
    status, _, body = play(sandbox, lambda client: client.ask(data=VALID))
    assert (status, body) == (200, b"")
    assert sandbox.counts == {200: 1}


@pytest.mark.parametrize(
    "body",
    [
        '{"event": {"key": "구매", "value": 42000.5}, "user": {"deviceId": "d"}}',
        '{"event": {"key": "a", "value": 123456789012345678901234567890}, "user": {"id": "d"}}',
        '{"event": {"key": "a", "properties": {}}, "user": {"identifiers": {"mine": "x"}}}',
        '{"event": {"key": "a"}, "user": {"userId": " ", "deviceId": "d", "properties": {"age": 30}}}',
        '{"event": {"key": "a", "properties": {"n": null, "o": {}, "l": [1, "b"]}}, "user": {"userId": "1"}}',
        '{"event": {"key": "$a b", "more": 1}, "user": {"userId": "1"}, "more": 1}',
    ],
)
def test_what_the_page_does_not_forbid_is_accepted(body: str) -> None:
    assert answer_to(body.encode()) == (200, "")


def test_the_sample_records_are_accepted() -> None:
    bodies = (SAMPLES / "purchases.jsonl").read_bytes().splitlines()
    statuses = play(Sandbox(settings()), lambda client: client.post_all(bodies))
    assert len(statuses) >= 20
    assert set(statuses) == {200}


# 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "cannot be read as JSON"),
        (b"{", "cannot be read as JSON"),
        (b'{"event": NaN}', "cannot be read as JSON"),
        (b'{"event": {"key": "\xff"}, "user": {"userId": "1"}}', "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b'{"event": {"key": "a", "value": 1e999}, "user": {"userId": "1"}}', "Number out of range"),
        (b"[]", "the body must be a JSON object"),
        (b'{"user": {"userId": "1"}}', "event must be an object"),
        (b'{"event": "a", "user": {"userId": "1"}}', "event must be an object"),
        (b'{"event": {"key": "a"}}', "user must be an object"),
        (b'{"event": {"key": "a"}, "user": null}', "user must be an object"),
        (b'{"event": {}, "user": {"userId": "1"}}', "event.key must be a string that is not empty"),
        (b'{"event": {"key": ""}, "user": {"userId": "1"}}', "event.key must be a string that is not empty"),
        (b'{"event": {"key": 1}, "user": {"userId": "1"}}', "event.key must be a string that is not empty"),
        (b'{"event": {"key": "a", "value": "1"}, "user": {"userId": "1"}}', "event.value must be a number"),
        (b'{"event": {"key": "a", "value": true}, "user": {"userId": "1"}}', "event.value must be a number"),
        (b'{"event": {"key": "a", "value": null}, "user": {"userId": "1"}}', "event.value must be a number"),
        (
            b'{"event": {"key": "a", "properties": []}, "user": {"userId": "1"}}',
            "event.properties must be an object",
        ),
        (
            b'{"event": {"key": "a"}, "user": {"userId": "1", "properties": 1}}',
            "user.properties must be an object",
        ),
        (
            b'{"event": {"key": "a"}, "user": {"userId": "1", "identifiers": []}}',
            "user.identifiers must be an object",
        ),
        (b'{"event": {"key": "a"}, "user": {"userId": 1}}', "user.userId must be a string"),
        (b'{"event": {"key": "a"}, "user": {"deviceId": null}}', "user.deviceId must be a string"),
        (b'{"event": {"key": "a"}, "user": {"id": {}}}', "user.id must be a string"),
        (
            b'{"event": {"key": "a"}, "user": {"userId": "1", "identifiers": {"mine": 2}}}',
            "user.identifiers.mine must be a string",
        ),
        (b'{"event": {"key": "a"}, "user": {}}', "user must have an identifier that is not blank"),
        (
            b'{"event": {"key": "a"}, "user": {"userId": "", "identifiers": {"mine": " "}}}',
            "user must have an identifier that is not blank",
        ),
    ],
)
def test_what_the_page_calls_invalid_is_400_and_says_why(body: bytes, message: str) -> None:
    status, said = answer_to(body)
    assert status == 400
    assert message in said


def test_an_error_has_a_code_and_a_message_in_json() -> None:
    _, headers, body = play(Sandbox(settings()), lambda client: client.ask(data=b"[]"))
    assert json.loads(body) == {"code": "BAD_REQUEST", "message": "the body must be a JSON object"}
    assert headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("header", [{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}])
def test_a_body_sent_in_another_way_than_documented_is_400(header: dict[str, str]) -> None:
    headers = HEADERS | header
    assert play(Sandbox(settings()), lambda client: client.post(headers=headers)) == 400


# Other refusals


@pytest.mark.parametrize("key", [None, "", "Sandbox", "sandbox2", "열쇠"])
def test_a_missing_or_wrong_key_is_401(key: str | None) -> None:
    headers = {"Content-Type": "application/json"} | ({} if key is None else {"X-HACKLE-API-KEY": key})
    assert play(Sandbox(settings()), lambda client: client.post(headers=headers)) == 401


def test_the_key_is_the_one_that_was_set_and_no_repr_shows_it() -> None:
    chosen = settings(key="other-key")
    assert "other-key" not in repr(chosen)
    headers = HEADERS | {"X-HACKLE-API-KEY": "other-key"}
    assert play(Sandbox(chosen), lambda client: client.post(headers=headers)) == 200


def test_another_path_is_404() -> None:
    sandbox = Sandbox(settings())
    status, _, _ = play(sandbox, lambda client: client.ask(path="/v2/track", data=VALID))
    assert status == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(method: str) -> None:
    status, _, _ = play(Sandbox(settings()), lambda client: client.ask(method))
    assert status == 405


def test_a_body_past_a_mebibyte_is_413_and_one_of_a_mebibyte_is_not() -> None:
    full = VALID + b" " * (1024**2 - len(VALID))

    async def story(client: Client) -> list[int]:
        return [(await client.ask(data=io.BytesIO(body)))[0] for body in (full, full + b" ")]

    assert play(Sandbox(settings()), story) == [200, 413]


def test_a_body_that_breaks_off_is_not_accepted_and_the_next_request_is_served(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    sandbox = Sandbox(settings(accepted=accepted))

    async def story(client: Client) -> int:
        _, writer = await asyncio.open_connection("127.0.0.1", client.port)
        head = "POST /v1/track HTTP/1.1\r\nHost: x\r\nX-HACKLE-API-KEY: sandbox\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 999\r\n\r\n".encode() + VALID)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return await client.post()

    assert play(sandbox, story) == 200
    assert accepted.read_bytes() == VALID + b"\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nX-HACKLE-API-KEY: \xff\r\n\r\n", 401),
    ],
)
def test_bytes_that_no_client_should_send_are_answered_too(data: bytes, status: int) -> None:
    async def story(client: Client) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(data)
        line = await reader.readline()
        writer.close()
        return line

    assert int(play(Sandbox(settings()), story).split()[1]) == status
