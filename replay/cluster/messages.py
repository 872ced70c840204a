"""What a keeper asks of a Dask worker, and what comes back: bytes without any key or password."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from replay.settings import SendSettings, SinkSettings  # noqa: TC001 - msgspec reads hints


class Task(msgspec.Struct):
    """A share of a run to send, or to look at.

    `ledger`: the database without a password, called `ledger_name`; `run` and `target` by their ids
    there, `copies` of each content by its name. `record`: what `run.toml` says of sources, mapping and rules.
    `share` of `shares`, claimed from `epoch`. `key_file`: where the worker finds its key, if not in its
    environment. `sink` holds none.
    """

    version: str
    ledger: str
    ledger_name: str
    lease_seconds: float
    run: int
    target: int
    again: bool
    copies: dict[str, int]
    record: dict[str, Any]
    send: SendSettings
    sink: SinkSettings
    shares: int
    share: int = 0
    epoch: int = 0
    key_file: str | None = None


class Reply(msgspec.Struct):
    """How a task ended: `kind` and `words` of what keeps the worker from it, if anything does."""

    kind: str | None = None
    words: str = ""


_tasks: Final = msgspec.msgpack.Decoder(Task)
_replies: Final = msgspec.msgpack.Decoder(Reply)


def encode_task(task: Task) -> bytes:
    """A task as it travels."""
    return msgspec.msgpack.encode(task)


def decode_task(told: bytes) -> Task:
    """A task that came."""
    return _tasks.decode(told)


def encode_reply(reply: Reply) -> bytes:
    """A reply as it travels."""
    return msgspec.msgpack.encode(reply)


def decode_reply(told: bytes) -> Reply:
    """A reply that came."""
    return _replies.decode(told)
