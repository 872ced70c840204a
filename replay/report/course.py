"""How a run went over time, in a bounded number of stretches that grow wider as the run goes on.

Time is the run's own, over all its legs: what lies between two legs is none of it. Each stretch, and
what holds for all of them, is a text at a place, as the ledger keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from replay.records import Answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STRETCHES_MAX: Final = 240
FIRST_SECONDS: Final = 0.05
KEYS_MAX: Final = 200  # event keys counted one by one
_WHOLE: Final = -1  # the place of what holds for all stretches


class Stretch(msgspec.Struct, omit_defaults=True):
    """What happened in one stretch of time: rows that ended, attempts by status and by bucket of latency.

    `limit`: the most requests a second that were allowed at its end, None for no limit.
    """

    delivered: int = 0
    failed: int = 0
    retries: int = 0
    statuses: dict[int, int] = {}
    latencies: dict[int, int] = {}
    limit: float | None = None

    def add(self, other: Stretch) -> None:
        """Take in a later one."""
        self.delivered += other.delivered
        self.failed += other.failed
        self.retries += other.retries
        self.statuses = _sum(self.statuses, other.statuses)
        self.latencies = _sum(self.latencies, other.latencies)
        self.limit = other.limit

    @property
    def requests(self) -> int:
        """Attempts that came to an end."""
        return sum(self.statuses.values())


class Whole(msgspec.Struct):
    """What holds for all stretches: their `width`, and the `seconds` of all legs so far, of running time.

    `legs`: when each leg began, in running time and in seconds since 1970. `keys`: rows delivered and
    failed, by event key; `others`: those of event keys beyond KEYS_MAX.
    """

    width: float = FIRST_SECONDS
    seconds: float = 0.0
    legs: list[tuple[float, float]] = []
    keys: dict[str, tuple[int, int]] = {}
    others: tuple[int, int] = (0, 0)


class Course:
    """The course of a run: read from its samples, told what happens, and asked for what is new."""

    def __init__(self, samples: Iterable[tuple[int, str]] = ()) -> None:
        """Raises msgspec.MsgspecError where the samples are none that a course wrote."""
        self.whole = Whole()
        self.stretches: dict[int, Stretch] = {}
        for place, text in samples:
            if place == _WHOLE:
                self.whole = msgspec.json.decode(text, type=Whole)
            else:
                self.stretches[place] = msgspec.json.decode(text, type=Stretch)
        self._keys = {key: list(rows) for key, rows in self.whole.keys.items()}
        self._others = list(self.whole.others)
        self._fresh: set[int] = set()
        self._anew = False
        self._leg_moment = self._leg_seconds = self._noted = 0.0
        self._counted = (0, 0, 0)
        self._answers = Answers()
        self.limit: float | None = None
        self.until = 0.0

    def begin_leg(self, moment: float, since_1970: float, counted: tuple[int, int, int]) -> None:
        """A leg begins now; `counted` is what all legs before have counted: delivered, failed, retries.

        `moment`: of the monotonic clock, as all later ones.
        """
        last = max(self.stretches, default=-1)
        self._leg_moment = moment
        self._leg_seconds = max(self.whole.seconds, (last + 1) * self.whole.width)
        self._noted = self._leg_seconds
        self._counted, self._answers = counted, Answers()
        self.whole.legs.append((self._leg_seconds, since_1970))
        self.until = 0.0

    def note(self, moment: float, counted: tuple[int, int, int], answers: Answers) -> None:
        """What was counted until now; what is new of it belongs to the stretch of the last moment noted."""
        since, self._noted = self._noted, self._seconds(moment)
        until = self._place(self._noted)
        self.until = self._leg_moment + (until + 1) * self.whole.width - self._leg_seconds
        delivered, failed, retries = (
            now - before for now, before in zip(counted, self._counted, strict=True)
        )
        fresh = answers.since(self._answers)
        if any((delivered, failed, retries, fresh.statuses)):
            place = int(since / self.whole.width)
            latencies = {bucket: count for bucket, count in enumerate(fresh.latencies) if count}
            new = Stretch(delivered, failed, retries, fresh.statuses, latencies, self.limit)
            self._answers = answers.copy()
            self.stretches.setdefault(place, Stretch()).add(new)
            self._fresh.add(place)
        self._counted = counted

    def count_key(self, key: str, *, delivered: bool, rows: int = 1) -> None:
        """A row with this event key ended; `rows` -1: it did not after all."""
        counted = self._keys.get(key)
        if counted is None:
            counted = self._keys.setdefault(key, [0, 0]) if len(self._keys) < KEYS_MAX else self._others
        counted[not delivered] += rows

    def mask_keys(self, hashed: Callable[[str], str]) -> None:
        """Show a hash in the stead of each event key."""
        self._keys = {hashed(key): rows for key, rows in self._keys.items()}
        self.whole.keys = {hashed(key): rows for key, rows in self.whole.keys.items()}

    def take(self) -> tuple[bool, list[tuple[int, str]]]:
        """The samples that are new since the last time, and whether they stand in the stead of all."""
        anew, self._anew = self._anew, False
        places = sorted(self.stretches if anew else self._fresh)
        self._fresh = set()
        self.whole.keys = {key: (rows[0], rows[1]) for key, rows in self._keys.items()}
        self.whole.others = (self._others[0], self._others[1])
        return anew, [(_WHOLE, _text(self.whole)), *((at, _text(self.stretches[at])) for at in places)]

    def _seconds(self, moment: float) -> float:
        """The running time of a moment of this leg."""
        seconds = self._leg_seconds + max(0.0, moment - self._leg_moment)
        self.whole.seconds = max(seconds, self.whole.seconds)
        return seconds

    def _place(self, seconds: float) -> int:
        """The stretch of a running time, after making room for it."""
        while (place := int(seconds / self.whole.width)) >= STRETCHES_MAX:
            self._widen()
        return place

    def _widen(self) -> None:
        """Make one stretch of two."""
        self.whole.width *= 2
        merged: dict[int, Stretch] = {}
        for place in sorted(self.stretches):
            merged.setdefault(place // 2, Stretch()).add(self.stretches[place])
        self.stretches = merged
        self._anew = True


def _sum(some: dict[int, int], others: dict[int, int]) -> dict[int, int]:
    return {name: some.get(name, 0) + others.get(name, 0) for name in [*some, *(others.keys() - some.keys())]}


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
