"""Which rows of a chunk are sent, and why the others are not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from replay.ledger import History, content_of_uid, copy_of
from replay.mapping import in_sample
from replay.pipeline.naming import Names, Seen, names_of
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from replay.ledger import Past, Store
    from replay.pipeline.stages import Judged


class Fate(IntEnum):
    """What a run does with a row."""

    SEND = 0
    INVALID = 1
    DELIVERED_BEFORE = 2
    AMBIGUOUS_BEFORE = 3
    SAME_CONTENT = 4
    SAMPLE = 5
    ENDED = 6  # by an earlier leg of this very run, which sent it
    NOTED = 7  # by an earlier leg, which did not


SKIPPED: Final = {
    Fate.DELIVERED_BEFORE: "delivered-before",
    Fate.SAME_CONTENT: "same-content",
    Fate.SAMPLE: "sample",
}
"""How the fates of rows that are skipped on purpose are told."""

WHERE: Final = "where"
"""How rows are told that the mapping's `[where]` leaves out: they have no fate, and are not judged."""

Fates = np.ndarray[tuple[int], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger is asked on behalf of a run.

    `target` None: a destination that nothing was sent to yet. `run` 0: not begun yet. `again`: what
    other runs did does not count. `new_mapping`: another mapping than before is meant. `store` None:
    there is no ledger to ask.
    """

    store: Store | None = None
    target: int | None = None
    run: int = 0
    again: bool = False
    new_mapping: bool = False

    def copy(self, content: int | None) -> int | None:
        """The copy of a content at the target, if any of it was sent there."""
        if self.store is None or self.target is None or content is None:
            return None
        return copy_of(self.store, self.target, content)

    def history(self, uid: str) -> History | None:
        """The past of a content by its name; None where it has none."""
        if self.store is None or self.target is None:
            return None
        content = content_of_uid(self.store, uid)
        copy = None if content is None else copy_of(self.store, self.target, content)
        return None if copy is None else History(self.store, copy, self.run, again=self.again)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A judged chunk up to the run's limit, the fate of each of its rows, and how many rows lie beyond.

    `fates` of the rows that could be read, `unread` of the others. `doubtful`: which run left a row
    ambiguous, by place; with the user's word such a row is sent all the same.
    """

    judged: Judged
    names: Names
    fates: Fates
    unread: Fates
    beyond: int = 0
    doubtful: dict[int, str] = field(default_factory=dict)

    def places(self, fate: Fate) -> list[int]:
        """The places of the rows with this fate that could be read."""
        return np.flatnonzero(self.fates == fate).tolist()

    def count(self, fate: Fate) -> int:
        """How many rows have this fate."""
        return int((self.fates == fate).sum()) + int((self.unread == fate).sum())

    def upto(self, end: int) -> Chosen:
        """What stands before this place; the rest lies beyond."""
        within = self.judged.upto(end)
        return Chosen(
            within,
            self.names.upto(end),
            self.fates[:end],
            self.unread[: len(within.chunk.unreadable)],
            len(self.judged) - len(within),
            {place: run for place, run in self.doubtful.items() if place < end},
        )


class Chooser:
    """Chooses chunk after chunk, over all sources of a run.

    `limit`: how many more rows may be sent, None for all. `sample`: the share of users, from 0 to 1.
    `resends_ambiguous`: the user's word that ambiguous rows are sent again.
    """

    def __init__(
        self,
        known: Known,
        *,
        limit: int | None = None,
        sample: float | None = None,
        resends_ambiguous: bool = False,
    ) -> None:
        self._known = known
        self._left = limit
        self._sample = sample
        self._resends_ambiguous = resends_ambiguous
        self._histories: dict[str, History | None] = {}
        self._covered: dict[str, int] = {}
        self._seen: dict[str, Seen] = {}
        self.delivered_in: Counter[str] = Counter()
        """How many rows were skipped as delivered by each earlier run, by its name."""

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached."""
        return self._left is not None and self._left <= 0

    def cover(self, uid: str, rows: int) -> None:
        """The rows of a content up to this one were chosen from: another source of it brings nothing new."""
        self._covered[uid] = max(rows, self._covered.get(uid, 0))

    def choose(self, judged: Judged, uid: str) -> Chosen:
        """Decide about the rows of a chunk of the source whose content has this name."""
        names = names_of(judged.chunk, uid)
        fates: Fates = judged.invalid.astype(np.uint8)  # INVALID where it is, else SEND
        if self._sample is not None and len(fates):
            fates[~in_sample(judged.mapped, self._sample) & (fates == Fate.SEND)] = Fate.SAMPLE
        doubtful: dict[int, str] = {}
        pasts: list[tuple[Past, NDArray[np.intp]]] = []
        for name, places in names.by_content():
            past = self._past(name, names.rows[places])
            if past is not None:
                pasts.append((past, places))
                doubtful |= self._look_back(past, fates, places, names.rows[places])
        self._drop_repeated(fates, names, uid)
        chosen = self._cut(Chosen(judged, names, fates, self._unread(judged, uid), 0, doubtful))
        for past, places in pasts:
            self._count_delivered(past, chosen, places[places < len(chosen.fates)])
        return chosen

    def _count_delivered(self, past: Past, chosen: Chosen, places: NDArray[np.intp]) -> None:
        """Count rows by the run that delivered them first."""
        left = chosen.fates[places] == Fate.DELIVERED_BEFORE
        for run, stretches in past.delivered_by.items():
            found = left & _within(chosen.names.rows[places], stretches)
            self.delivered_in[run] += int(found.sum())
            left &= ~found

    def _past(self, uid: str, rows: NDArray[np.int64]) -> Past | None:
        if uid not in self._histories:
            self._histories[uid] = self._known.history(uid)
        history = self._histories[uid]
        if history is None or not len(rows):
            return None
        past = history.past(int(rows.min()), int(rows.max()))
        return None if past.is_blank else past

    def _look_back(
        self, past: Past, fates: Fates, places: NDArray[np.intp], rows: NDArray[np.int64]
    ) -> dict[int, str]:
        """Set the fates that the past decides; returns which run left which row ambiguous, by place."""
        first_places: dict[int, int] = {}
        if past.ambiguous or past.own:
            first_places = dict(zip(rows[::-1].tolist(), places[::-1].tolist(), strict=True))
        doubtful = {first_places[row]: run for row, run in past.ambiguous.items() if row in first_places}
        if not self._resends_ambiguous:
            fates[list(doubtful)] = Fate.AMBIGUOUS_BEFORE
        fates[places[_within(rows, past.delivered)]] = Fate.DELIVERED_BEFORE
        fates[places[_within(rows, past.own_delivered)]] = Fate.ENDED
        for row, outcome in past.own.items():
            if row in first_places:
                was_sent = outcome is not Outcome.INVALID and row not in past.ambiguous
                fates[first_places[row]] = Fate.ENDED if was_sent else Fate.NOTED
        return doubtful

    def _drop_repeated(self, fates: Fates, names: Names, uid: str) -> None:
        """A row that another source of this run, or another row of a failed file, has brought already."""
        if names.notes is None:
            fates[names.rows <= self._covered.get(uid, 0)] = Fate.SAME_CONTENT
            return
        for name, places in names.by_content():
            again = self._seen.setdefault(name, Seen()).add(names.rows[places])
            fates[places[again]] = Fate.SAME_CONTENT

    def _unread(self, judged: Judged, uid: str) -> Fates:
        """The fates of the rows that could not be read."""
        rows = np.array([record.row for record in judged.chunk.unreadable], dtype=np.int64)
        fates: Fates = np.full(len(rows), Fate.INVALID, dtype=np.uint8)
        past = self._past(uid, rows)
        if past is not None:
            fates[np.isin(rows, list(past.own))] = Fate.NOTED
        fates[rows <= self._covered.get(uid, 0)] = Fate.SAME_CONTENT
        return fates

    def _cut(self, chosen: Chosen) -> Chosen:
        """Keep what stands before the row that the limit leaves out."""
        if self._left is None:
            return chosen
        counted = np.flatnonzero((chosen.fates == Fate.SEND) | (chosen.fates == Fate.ENDED))
        if len(counted) < self._left:
            self._left -= len(counted)
            return chosen
        end = int(counted[self._left - 1]) + 1 if self._left else 0
        self._left = 0
        return chosen.upto(end)


def _within(rows: NDArray[np.int64], spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which rows lie in one of some (first, last) spans, which may overlap."""
    if not spans:
        return np.zeros(len(rows), dtype=np.bool_)
    firsts, lasts = np.array(sorted(spans), dtype=np.int64).T
    reach = np.concatenate([[np.iinfo(np.int64).min], np.maximum.accumulate(lasts)])
    return np.asarray(rows <= reach[np.searchsorted(firsts, rows, side="right")], dtype=np.bool_)
