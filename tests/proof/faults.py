"""What a server does to a request on a bad day, by name; and the plan that says which request meets what.

A fault knows what the server itself would swear to afterwards: `accepted` (a 2xx status line went
out), `busy` (not accepted, come again), `refused` (not accepted, for good), or `unknown`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import accumulate
from typing import Any, Final, Literal

Word = Literal["accepted", "busy", "refused", "unknown"]
HANG_SECONDS: Final = 3_600.0
DRIP_SECONDS: Final = 1.0  # no status line within any timeout
LATER_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Fault:
    """The bytes of an answer, when they come, and what becomes of the connection after them.

    `delay` seconds before it; `interval` seconds between two bytes, 0 for all at once; `later`: what
    follows once the first bytes were looked at; `wait`: the seconds that it asks everybody to wait.
    `{elsewhere}` in `data` is an address at the judge's that is no case, `{soon}` a date.
    """

    data: bytes
    word: Word
    then: Literal["keep", "close", "reset"] = "keep"
    delay: float = 0.0
    interval: float = 0.0
    later: bytes = b""
    wait: float = 0.0


def answer(status: int, *headers: str, body: bytes = b"") -> bytes:
    """A proper answer."""
    lines = [f"HTTP/1.1 {status} Said", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def _moved(status: int) -> Fault:
    return Fault(answer(status, "Location: {elsewhere}"), "refused")


def _in_a_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


OK: Final = Fault(answer(200), "accepted")
_CUT: Final = b"HTTP/1.1 200 Said\r\nContent-Length: 100\r\n\r\nhalf"
_CHUNKED: Final = b"HTTP/1.1 200 Said\r\nTransfer-Encoding: chunked\r\n\r\n"

FAULTS: Final[dict[str, Fault]] = {
    "ok": OK,
    "204": Fault(b"HTTP/1.1 204 Said\r\n\r\n", "accepted"),
    "100-continue": Fault(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(200), "accepted"),
    "cut-body": Fault(_CUT, "accepted", "close"),
    "reset-body": Fault(_CUT, "accepted", "reset"),
    "hanging-body": Fault(_CUT, "accepted"),
    "chunked-nonsense": Fault(_CHUNKED, "accepted", "close", later=b"zz\r\nnonsense\r\n"),
    "stale-keep-alive": Fault(answer(200), "accepted", "close"),
    "reset-after-read": Fault(b"", "unknown", "reset"),
    "eof-after-read": Fault(b"", "unknown", "close"),
    "hang": Fault(b"", "unknown", "close", delay=HANG_SECONDS),
    "drip": Fault(answer(200), "unknown", interval=DRIP_SECONDS),
    "garbage": Fault(b"ICY 200 banana\r\n\r\n", "unknown", "close"),
    "half-status": Fault(b"HTTP/1.1 20", "unknown", "close"),
    "huge-header": Fault(answer(200, "X-Big: " + "x" * 70_000), "accepted", "close"),
    "429-now": Fault(answer(429, "Retry-After: 0"), "busy"),
    "429-later": Fault(answer(429, "Retry-After: 1"), "busy", wait=1.0),
    "429-date": Fault(answer(429, "Retry-After: {soon}"), "busy"),
    "429-nonsense": Fault(answer(429, "Retry-After: soon"), "busy"),
    "429-alone": Fault(answer(429), "busy"),
    "503-now": Fault(answer(503, "Retry-After: 0"), "busy"),
    "503-later": Fault(answer(503, "Retry-After: 1"), "busy", wait=1.0),
    "408": Fault(answer(408), "busy"),
    "425": Fault(answer(425), "busy"),
    **{str(status): Fault(answer(status), "unknown") for status in (500, 502, 503, 504)},
    **{str(status): Fault(answer(status, body=b'{"message":"no"}'), "refused") for status in (400, 413, 422)},
    **{str(status): Fault(answer(status), "refused") for status in (401, 403, 404, 405, 410, 415)},
    **{str(status): _moved(status) for status in (301, 302, 307)},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which attempt of which row meets what: `rows` by their number, all others by chance and seed.

    `shares`: how often a fault is met, as a part of 1; `latency`: seconds, at most, before each answer;
    `unread`: the part of all connections that is reset before anything is read from it, and
    `unread_first`: so many are at the beginning.
    """

    seed: int = 0
    rows: dict[int, list[str]] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    latency: float = 0.0
    unread: float = 0.0
    unread_first: int = 0

    @classmethod
    def of(cls, said: dict[str, Any]) -> Plan:
        """The plan that came as JSON."""
        rows = {int(row): names for row, names in said.get("rows", {}).items()}
        return cls(**{**said, "rows": rows})

    def fault(self, row: int, attempt: int) -> tuple[Fault, float]:
        """What an attempt of a row, from 0, meets, and the seconds before the server stirs."""
        chance = random.Random(f"{self.seed}/{row}/{attempt}")
        names = self.rows.get(row, [])
        name = names[attempt] if attempt < len(names) else self._by_chance(chance.random())
        return FAULTS[name], chance.random() * self.latency

    def resets(self, connection: int) -> bool:
        """Whether a connection, from 0, is reset unread."""
        chance = random.Random(f"{self.seed}/{connection}").random()
        return connection < self.unread_first or chance < self.unread

    def _by_chance(self, chance: float) -> str:
        for name, end in zip(self.shares, accumulate(self.shares.values()), strict=True):
            if chance < end:
                return name
        return "ok"


def spelled(fault: Fault, elsewhere: str) -> bytes:
    """The bytes of an answer as they go out now."""
    if b"{" not in fault.data:
        return fault.data
    return fault.data.replace(b"{elsewhere}", elsewhere.encode()).replace(b"{soon}", _in_a_second().encode())


MIXED: Final = {
    "400": 0.01,
    "429-now": 0.01,
    "429-later": 0.0004,
    "503-now": 0.004,
    "503": 0.003,
    "500": 0.002,
    "reset-after-read": 0.004,
    "eof-after-read": 0.004,
    "hang": 0.002,
    "drip": 0.001,
    "garbage": 0.003,
    "cut-body": 0.003,
    "stale-keep-alive": 0.005,
    "204": 0.003,
}
"""A bad day, on which most rows still arrive: outages are for other tests."""
