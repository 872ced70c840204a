"""How far a run has come in its sources: in bytes on the disk, though rows end long after they are read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.pipeline.plan import Plan


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is: so many bytes of all sources are done, out of those up to its last row.

    `source`: the name of the one it is in.
    """

    done: int
    total: int
    source: str


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What was read at once: `rows` to be sent, and where it ends in the bytes of all sources."""

    rows: int
    end: int
    source: int


class Places:
    """The stretches that were read and have not wholly ended, told by how many rows have.

    `names` and `sizes` of the sources, in bytes on the disk; `total`: those up to the last row that is sent.
    """

    def __init__(self, names: Sequence[str], sizes: Sequence[int], total: int) -> None:
        self._names = names
        self._starts = [sum(sizes[:index]) for index in range(len(sizes))]
        self._total = total
        self._read: deque[_Stretch] = deque()
        self._passed = 0  # rows of the stretches that have wholly ended
        self._done = 0  # and where the last of those ends
        self._source = 0

    def add(self, source: int, position: int, rows: int) -> None:
        """A stretch of a source was read up to this byte of it, with so many rows to be sent."""
        self._read.append(_Stretch(rows, self._starts[source] + position, source))

    def at(self, ended: int) -> Place:
        """Where a run is of whose rows so many ended; within a stretch all are taken as equally long."""
        while self._read and self._passed + self._read[0].rows <= ended:
            stretch = self._read.popleft()
            self._passed += stretch.rows
            self._done, self._source = stretch.end, stretch.source
        done, source = self._done, self._source
        if self._read and ended > self._passed:
            stretch = self._read[0]
            share = (ended - self._passed) / stretch.rows
            done, source = done + round(share * (stretch.end - done)), stretch.source
        return Place(min(done, self._total), self._total, self._names[source] if self._names else "")


def places_of(plan: Plan) -> Places:
    """The places of a run over a plan."""
    names = [source.source.name for source in plan.sources]
    return Places(names, [source.stamp[0] for source in plan.sources], plan.bytes_to_send)
