"""What a run and its sender processes say to each other, over a socket that nobody else holds.

A frame is its length (four bytes) and a message in MessagePack. Rows go by serial numbers of the run's.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import msgspec

from replay.records import Answers, Outcome, Result
from replay.settings import SendSettings, SinkSettings  # noqa: TC001

if TYPE_CHECKING:
    import asyncio

LENGTH_BYTES: Final = 4
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What stops a run. Its sender processes hear of it from the run alone: they have rows under way."""


class Setup(msgspec.Struct, tag=True, array_like=True):
    """To a process, first: how it sends, and the files that it shares (by descriptor).

    `pace` is that of all live runs to the target, `counts` what this run's processes count together.
    """

    send: SendSettings
    sink: SinkSettings
    part: int
    window: int
    pace: int
    counts: int


class Rows(msgspec.Struct, tag=True, array_like=True):
    """To a process: rows of one source to send; `doubtful`: serials that may have arrived before."""

    source: int
    serials: list[int]
    rows: list[int]
    bodies: list[bytes]
    lanes: list[tuple[str, ...]]
    doubtful: list[int]


class Slots(msgspec.Struct, tag=True, array_like=True):
    """To a process: the rows that it asked to announce, the oldest question first, stand in the ledger."""

    slots: list[int]


class NoMore(msgspec.Struct, tag=True, array_like=True):
    """To a process: there are no more rows."""


class Halt(msgspec.Struct, tag=True, array_like=True):
    """To a process: start nothing more, or with `at_once` end."""

    stopped_by: str
    reason: str | None
    at_once: bool = False


class Announce(msgspec.Struct, tag=True, array_like=True):
    """From a process: these rows are about to be sent."""

    serials: list[int]


class Ended(msgspec.Struct, array_like=True):
    """How a row ended that was not simply delivered."""

    serial: int
    outcome: Outcome
    status: int | None
    attempts: int
    reason: str
    group: str = ""

    @property
    def result(self) -> Result:
        """How it ended; of delivered rows only those come this way whose answer reports a failure."""
        failure = self.outcome is Outcome.DELIVERED
        return Result(self.outcome, self.status, self.attempts, self.reason, self.group, failure)


class News(msgspec.Struct, tag=True, array_like=True):
    """From a process: what happened since the last time.

    `extra`: rows that one more request may have reached. `requests`, `retries`, `duplicates` and
    `answers` are those of all its time; `first`, `last`: when the first request left and the last answer
    came, in seconds of the machine's monotonic clock; 0 for not yet.
    """

    delivered: list[int]
    ended: list[Ended]
    extra: list[int]
    requests: int = 0
    retries: int = 0
    duplicates: int = 0
    first: float = 0.0
    last: float = 0.0
    answers: Answers | None = None


class Pulse(msgspec.Struct, tag=True, array_like=True):
    """From a process, several times a second: how it stands."""

    in_flight: int
    rate: float | None
    waiting_for: str | None


class Stopped(msgspec.Struct, tag=True, array_like=True):
    """From a process: it starts nothing more, and neither should the others."""

    stopped_by: str
    reason: str | None


class Bye(msgspec.Struct, tag=True, array_like=True):
    """From a process, last: all that it had is told; `error` is what it did not foresee."""

    error: str | None = None


ToProcess = Setup | Rows | Slots | NoMore | Halt
FromProcess = Announce | News | Pulse | Stopped | Bye

_encoder: Final = msgspec.msgpack.Encoder()
to_process: Final = msgspec.msgpack.Decoder(ToProcess)
from_process: Final = msgspec.msgpack.Decoder(FromProcess)


def frame(message: ToProcess | FromProcess) -> bytes:
    """A message as it travels."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The next message's bytes. Raises asyncio.IncompleteReadError where the other side is gone."""
    length = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
    return await reader.readexactly(length)
