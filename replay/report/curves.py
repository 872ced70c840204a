"""The course of a run as curves: evenly spaced points, few enough to see, wide enough to mean something."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Final

from replay.records import LATENCIES, Answers
from replay.report.course import Stretch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.report.course import Course

POINTS_MAX: Final = 80
POINTS_MIN: Final = 4  # fewer are no curve
ANSWERS_A_POINT: Final = 10  # wanted on average, so that a curve shows the pace and not its grain
SHARES: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Curves:
    """Points of `width` seconds, from the beginning of a run to its end; the last may be longer."""

    width: float
    points: list[Stretch]
    seconds: float

    @property
    def is_drawn(self) -> bool:
        """Whether there is enough to draw."""
        return len(self.points) >= POINTS_MIN

    def a_second(self, name: str) -> list[float]:
        """What happened in each point, a second: `delivered`, `failed`, `retries` or `requests`."""
        return [getattr(point, name) / self._length(place) for place, point in enumerate(self.points)]

    def limits(self) -> list[float | None]:
        """The rate that was allowed; where nothing happened, that of the point before."""
        limits: list[float | None] = []
        for point in self.points:
            known = point.limit is not None or point.requests
            limits.append(point.limit if known or not limits else limits[-1])
        return limits

    def latencies(self) -> list[list[float] | None]:
        """The seconds within which SHARES of the answers came; None where none came."""
        return [within(point.latencies) if point.latencies else None for point in self.points]

    def _length(self, place: int) -> float:
        is_last = place == len(self.points) - 1
        return max(self.seconds - place * self.width, self.width / 2) if is_last else self.width


def within(latencies: Mapping[int, int]) -> list[float]:
    """The seconds within which SHARES of the answers came, by their number in each bucket of LATENCIES."""
    answers = Answers(latencies=[latencies.get(bucket, 0) for bucket in range(len(LATENCIES) + 1)])
    return [answers.latency(share) or 0.0 for share in SHARES]


def curves_of(course: Course) -> Curves:
    """The curves of a course."""
    width, last = course.whole.width, max(course.stretches, default=-1)
    answers = sum(stretch.requests for stretch in course.stretches.values())
    count = last + 1
    if not count:
        return Curves(width, [], 0.0)
    step = max(1, ceil(count / POINTS_MAX))
    while count / step > 2 * POINTS_MIN and answers / (count / step) < ANSWERS_A_POINT:
        step += 1
    whole, rest = divmod(count, step)
    points = [Stretch() for _ in range(whole + (2 * rest > step or not whole))]  # a short rest is no point
    for place, stretch in sorted(course.stretches.items()):
        points[min(place // step, len(points) - 1)].add(stretch)
    seconds = min(course.whole.seconds, count * width)
    return Curves(width * step, points, seconds)
