"""How a run stands, in words that fit: what is done, how fast, what it waits for, how long it will take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from replay.console.plans import duration
from replay.console.words import clean, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.pipeline import Progress

SPEED_SECONDS: Final = 10.0  # what "now" means of a speed
SPEED_LEAST_SECONDS: Final = 1.0  # a speed of less time says nothing
AT_LIMIT: Final = 0.95  # the share of the rate from which on it is the rate that limits
NAME_SHOWN: Final = 20
BAR_LEAST: Final = 6  # columns


class Speed:
    """How fast a number grew in the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now: float, number: float) -> None:
        """Take in what the number is at this moment, in seconds of a clock."""
        self._seen.append((now, number))
        while len(self._seen) > 2 and self._seen[1][0] <= now - SPEED_SECONDS:
            self._seen.popleft()

    @property
    def now(self) -> float | None:
        """What it grows by in a second; None while it is too early to tell."""
        if len(self._seen) < 2:
            return None
        (start, low), (end, high) = self._seen[0], self._seen[-1]
        return (high - low) / (end - start) if end - start >= SPEED_LEAST_SECONDS else None


class Speeds:
    """The speeds of a run: requests, rows and bytes in a second."""

    def __init__(self) -> None:
        self.requests = Speed()
        self.rows = Speed()
        self.bytes = Speed()

    def add(self, now: float, progress: Progress) -> None:
        """Take in how a run stands at this moment."""
        self.requests.add(now, progress.counts.requests)
        self.rows.add(now, progress.tried)
        self.bytes.add(now, progress.place.done)

    def seconds_left(self, progress: Progress) -> float | None:
        """How long the rest takes; None while nothing tells.

        The plan knows how many rows are left: at the rate where that is the limit, else as fast as they
        end now; only where none ends yet, because those before were sent by an earlier leg, by bytes.
        """
        left, rows = progress.rows - progress.tried, self.rows.now
        if not left or progress.waiting_for:
            return None if left else 0.0
        if rows is None or is_at_limit(self.requests.now, progress.rate):
            return None if progress.rate is None else left / progress.rate
        if rows:
            return left / rows
        return (progress.place.total - progress.place.done) / self.bytes.now if self.bytes.now else None


def is_at_limit(requests: float | None, rate: float | None) -> bool:
    """Whether it is the rate that keeps so many requests a second from being more."""
    return rate is not None and requests is not None and requests >= rate * AT_LIMIT


@dataclass(frozen=True, slots=True)
class Part:
    """Something to say; what has the greatest number is left out first."""

    rank: int
    text: str


def parts_of(progress: Progress, speeds: Speeds) -> list[Part]:
    """All that can be said of a run, in the order in which it is said."""
    counts = progress.counts
    delivered, retries = counts.rows["delivered"], counts.retries
    failed = counts.tried() - delivered
    said = [
        Part(2, f"{progress.tried:,}/{progress.rows:,} rows"),
        Part(3, _pace(speeds.requests.now, progress.rate)),
        Part(7, f"{delivered:,} delivered"),
        Part(4, f"{failed:,} failed"),
        Part(5, f"{progress.in_flight} in flight"),
        Part(5 if retries else 8, f"{retries:,} retries"),
        Part(1, _outlook(progress, speeds)),
    ]
    return [part for part in said if part.text]


def _pace(requests: float | None, rate: float | None) -> str:
    if requests is None:
        return "" if rate is None else f"at most {_number(rate)}/s"
    if is_at_limit(requests, rate):
        return f"{_number(requests)}/s, the limit"
    return f"{_number(requests)}/s" if rate is None else f"{_number(requests)} of {_number(rate)}/s"


def _number(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _outlook(progress: Progress, speeds: Speeds) -> str:
    """Why it waits, or how long it will take."""
    if progress.waiting_for:
        return f"waiting: {clean(progress.waiting_for)}"
    left = speeds.seconds_left(progress)
    return f"{duration(left)} left" if left else ""


def fitted(parts: Sequence[Part], width: int) -> str:
    """What has room in so many columns, the more important first; what is left of it may still be longer."""
    kept = list(parts)
    while len(kept) > 1 and len(_joined(kept)) > width:
        kept.remove(max(reversed(kept), key=lambda part: part.rank))
    return _joined(kept)


def _joined(parts: Sequence[Part]) -> str:
    return ", ".join(part.text for part in parts)


def name_of(progress: Progress) -> str:
    """The file that a run is in, as far as a bar has room for it."""
    return clean(short(PurePath(progress.place.source).name, NAME_SHOWN))


def line_of(progress: Progress, speeds: Speeds, *, several: bool) -> str:
    """How a run stands in one line; with several files, which it is in."""
    place = progress.place
    done = f"{100 * place.done / place.total:.0f}%" if place.total else "100%"
    words = _joined(parts_of(progress, speeds))
    name = clean(PurePath(place.source).name)  # no line of a log is cut
    return f"{done} of {place.total:,} bytes{f', in {name}' if several else ''}: {words}"
