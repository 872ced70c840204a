"""One source through the first stages: read, choose, map, judge. Both passes of a run go through here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from replay.mapping import Bound, Mapping, bind
from replay.masks import Mask
from replay.records import CARRIED, Chunk, Finding, Mapped, Outcome
from replay.report import Selection, blank_rows, carried_notes, first_name
from replay.rules import Judge, invalid_places, severities
from replay.settings import ReadSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as Dict

    from numpy.typing import NDArray

    from replay.settings import Severity
    from replay.source import Reader, Source

COLUMNS_FROM_ROWS: Final = 100  # records of a chunk whose members are listed
SAMPLE_ROWS: Final = 2_000  # that a mapping is fitted to
_NOTHING: Final = Mapped(0, {}, [])


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be read and how it is to be understood; the same for every command.

    `selection` chooses among the rows of failed files; None takes every row. `limit` is the most rows
    that are sent, `sample` the share of users (0 to 1) whose rows are. `digests`: what the sources held when
    the run began, where one goes on. `mask`: what is not shown of their values. `still_unreadable`: rows
    that a resend left alone, because they were not repaired.
    """

    sources: tuple[Source, ...]
    mapping: Mapping | None = None
    read: tuple[ReadSettings, ...] = ()
    rules: Dict[str, Severity] = field(default_factory=dict)
    selection: Selection | None = None
    limit: int | None = None
    sample: float | None = None
    digests: tuple[str, ...] = ()
    mask: Mask = field(default_factory=Mask)
    still_unreadable: int = 0

    @property
    def resends_ambiguous(self) -> bool:
        """Whether the user gave the word that ambiguous rows are sent again."""
        return self.selection is not None and Outcome.AMBIGUOUS in self.selection.wanted

    def severities(self) -> dict[str, Severity]:
        """The severity of every rule: its own, the mapping's, the command's."""
        return severities(self.mapping.rules if self.mapping else {}, self.rules)

    def read_settings(self, source: int) -> ReadSettings:
        """How one source is read."""
        return self.read[source] if self.read else ReadSettings()


@dataclass(frozen=True, slots=True)
class Judged:
    """A chunk, what the mapping made of it, and what the rules say; `invalid` is a mask of its rows.

    `left`: rows that the selection left alone; they count nowhere, as do the `blank` ones of a failed file.
    `elsewhere`: rows that the mapping's `[where]` leaves out; they are skipped.
    """

    chunk: Chunk
    mapped: Mapped
    findings: list[Finding]
    invalid: NDArray[np.bool_]
    left: int = 0
    elsewhere: int = 0
    blank: int = 0

    def __len__(self) -> int:
        return len(self.chunk) + len(self.chunk.unreadable) + self.elsewhere

    def columns(self) -> list[str]:
        """The names that its rows have: a table's header, or the members of its first records."""
        if self.chunk.kind == "table":
            return [name for name in self.chunk.header if not name.startswith(CARRIED)]
        seen: dict[str, None] = {}
        if self.chunk.members is not None:
            seen = dict.fromkeys(self.chunk.members.names)
            return [name for name in seen if not name.startswith(CARRIED)] if len(self.chunk) else []
        for place in range(min(len(self.chunk), COLUMNS_FROM_ROWS)):
            seen.update(dict.fromkeys(self.chunk.record(place)))
        return [name for name in seen if not name.startswith(CARRIED)]

    def upto(self, end: int) -> Judged:
        """Its rows before this place, with what could not be read among them."""
        last_row = self.chunk.rows[end - 1] if end else 0
        kept = np.arange(len(self.chunk)) < end
        readable = tuple(record for record in self.chunk.unreadable if record.row < last_row)
        chunk = replace(self.chunk.take(kept), unreadable=readable)
        return replace(
            self,
            chunk=chunk,
            mapped=self.mapped.upto(end),
            findings=[finding for one in self.findings if (finding := one.upto(end)).positions],
            invalid=self.invalid[:end],
            elsewhere=self.elsewhere if end else 0,  # a chunk of which nothing is taken is not looked at
        )


class Judging:
    """Judges the chunks of a source, one after another; the mapping is fitted to the first.

    `uid` is the name of the source's content, for mappings that send a row's id; `look` is given each
    chunk as it was read. `bound`: the mapping as it fits the source, once that is known.
    """

    def __init__(
        self,
        job: Job,
        judge: Judge,
        reader: Reader,
        uid: str,
        look: Callable[[Chunk], None] | None = None,
    ) -> None:
        self._job = job
        self._uid = uid
        self._look = look
        self._judge = judge
        self._severities = job.severities()
        self._reader = reader
        self.bound: Bound | None = None
        if reader.header:
            self.bound = bind(job.mapping, "table", reader.header, reader.source.name, None)

    def __iter__(self) -> Iterator[Judged]:
        for chunk in self._reader:
            if self._look is not None:
                self._look(chunk)
            filled = self._without_blank(chunk)
            kept = self._select(filled)
            judged = self._judged(kept, left=len(filled) - len(kept))
            yield replace(judged, blank=len(chunk) - len(filled))

    def unseen(self) -> dict[str, str]:
        """Members that the mapping names and no record so far has, with what to say about each."""
        return {} if self.bound is None else self.bound.unseen()

    def _without_blank(self, chunk: Chunk) -> Chunk:
        """A failed file has no blank rows, but a spreadsheet adds some at its end."""
        if self._job.selection is None or not (blank := blank_rows(chunk)).any():
            return chunk
        return chunk.take(~blank)

    def _select(self, chunk: Chunk) -> Chunk:
        if self._job.selection is None or not len(chunk):
            return chunk
        wanted = [self._job.selection.takes(note) for note in carried_notes(chunk, range(len(chunk)))]
        return chunk.take(np.array(wanted, dtype=np.bool_))

    def _judged(self, chunk: Chunk, left: int) -> Judged:
        if not len(chunk):
            findings = self._judge.judge(_NOTHING, chunk)
            return Judged(chunk, _NOTHING, findings, np.zeros(0, dtype=np.bool_), left)
        kept = self._bind(chunk).keep(chunk)
        elsewhere = len(chunk) - len(kept)
        mapped = self._bind(chunk).apply(self._with_ids(kept)) if len(kept) else _NOTHING
        findings = self._judge.judge(mapped, kept)
        invalid = invalid_places(findings, self._severities, len(kept))
        return Judged(kept, mapped, findings, invalid, left, elsewhere)

    def _with_ids(self, chunk: Chunk) -> Chunk:
        if self._job.mapping is None or not self._job.mapping.sends_ids:
            return chunk
        notes = carried_notes(chunk, range(len(chunk)))
        named = zip(notes, chunk.rows.tolist(), strict=True)
        return replace(chunk, ids=[first_name(note, self._uid, row)[0] for note, row in named])

    def _bind(self, chunk: Chunk) -> Bound:
        if self.bound is None:
            name = self._reader.source.name
            self.bound = bind(self._job.mapping, chunk.kind, chunk.header, name, chunk.head(SAMPLE_ROWS))
        return self.bound
