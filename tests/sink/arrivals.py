"""When requests arrived, as far as a server can know that itself is kept from reading now and then.

A request that a busy server reads late arrived after it looked the last time and before it reads. What is
said here of requests holds whenever in that time each of them arrived.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

BEAT_SECONDS = 0.005
BEATS = 4  # a request is read at most two turns of the loop after the one that found it


class Arrival(NamedTuple):
    """A request arrived after the one moment and not after the other, in monotonic seconds."""

    after: float
    read: float


class Lookout:
    """Notes when the loop that it runs in last looked at its sockets, from `async with` to its end."""

    def __init__(self) -> None:
        self._beats: deque[float] = deque(maxlen=BEATS)

    async def __aenter__(self) -> Self:
        self._beats.append(time.monotonic())
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def arrival(self) -> Arrival:
        """That of a request which is read now."""
        return Arrival(self._beats[0], time.monotonic())

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self._beats.append(time.monotonic())


def most_in_a_second(arrivals: Sequence[Arrival]) -> int:
    """The most requests of which it is certain that they arrived within one second."""
    reads = sorted(arrival.read for arrival in arrivals)
    most = last = 0
    for first, after in enumerate(sorted(arrival.after for arrival in arrivals)):
        while last < len(reads) and reads[last] <= after + 1.0:
            last += 1
        most = max(most, last - first)
    return most


def span(arrivals: Sequence[Arrival]) -> float:
    """The most seconds that may have passed from the first request to the last."""
    return max(arrival.read for arrival in arrivals) - min(arrival.after for arrival in arrivals)


def longest_silence(arrivals: Sequence[Arrival]) -> float:
    """The most seconds of which it is certain that no request arrived in them, between two that did."""
    inside = sorted(arrivals, key=lambda arrival: arrival.read)
    return max(later.after - earlier.read for earlier, later in pairwise(inside))


def shortest_gap(arrivals: Sequence[Arrival]) -> float:
    """The most seconds that may have passed between the two requests that came closest."""
    inside = sorted(arrivals, key=lambda arrival: arrival.read)
    return min(later.read - earlier.after for earlier, later in pairwise(inside))
