"""The first pass over the sources: every row is read, mapped, judged, and decided about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from replay.errors import MappingError, SourceError
from replay.pipeline.choosing import Fate, Known
from replay.pipeline.endings import count_skipped, not_sent, unreadable_now
from replay.pipeline.identity import Beginning, content_read, identify
from replay.pipeline.plan import Plan, SourcePlan, stamp_of
from replay.pipeline.refusing import refuse_beginnings, refuse_changed, refuse_other_bytes
from replay.pipeline.stages import Job, Judged, Judging
from replay.pipeline.tally import Tally
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.pipeline.choosing import Chosen
    from replay.pipeline.identity import Identity
    from replay.settings import ReadSettings
    from replay.source import Reader, Source

Watch = Callable[[int, int], None]
"""Is told the bytes read of all sources, and their size."""

Listen = Callable[[str, Judged], None]
"""Is told each judged chunk, with the name of its source."""


def make_plan(
    job: Job, known: Known | None = None, watch: Watch | None = None, listen: Listen | None = None
) -> Plan:
    """Read every row of every source once, map it, judge it, and decide whether it is sent.

    `known` is what the ledger is asked; without it nothing is to be sent, and each source stands for
    itself. Raises MappingError where the mapping does not fit a source, or names a member that no
    record has, UsageError where the ledger knows better than to send a source again, and SourceError
    where a run would go on with other bytes than it began with.
    """
    planning = _Planning(job, known, listen)
    total = sum(stamp_of(source)[0] for source in job.sources)
    done = valid = 0
    for index, source in enumerate(job.sources):
        for position in planning.read(index, source):
            if planning.plan.valid > valid:
                valid, planning.plan.bytes_to_send = planning.plan.valid, done + position
            if watch is not None:
                watch(done + position, total)
        done += stamp_of(source)[0]
        if watch is not None:
            watch(done, total)  # a file without a row is read, too
    refuse_beginnings(planning.plan.sources)
    planning.refuse_unseen()
    return planning.plan


class _Planning:
    """A plan in the making, source by source."""

    def __init__(self, job: Job, known: Known | None, listen: Listen | None) -> None:
        self.plan = Plan(job, Tally(job.severities(), job.mask), known or Known())
        self._is_to_be_sent = known is not None
        self._listen = listen
        self._judge = Judge(job.severities())
        self._severities = job.severities()
        self._chooser = self.plan.chooser()
        self._unseen: list[dict[str, str]] = []

    def read(self, index: int, source: Source) -> Iterator[int]:
        """Read one source to its end; yields how many of its bytes were read so far."""
        identity = self._identify(index, source) if self._is_to_be_sent else None
        uid = f"source {index}" if identity is None else identity.resolved.uid
        stamp = stamp_of(source)
        rows = _Rows()
        read = self.plan.job.read_settings(index)
        with open_source(source, read) as reader:
            beginning = Beginning(reader)
            judging = Judging(self.plan.job, self._judge, reader, uid, beginning.add)
            for judged in judging:
                self._count(source, self._chooser.choose(judged, uid))
                rows.add(judged)
                if self._listen is not None:
                    self._listen(source.name, judged)
                yield judged.chunk.position
            if identity is not None:
                self._add(_source_plan(reader, rows, stamp, identity, beginning, read))
        if rows.read:
            self._unseen.append(judging.unseen())

    def _identify(self, index: int, source: Source) -> Identity:
        """What a source is, unless the ledger knows better than to send it."""
        job, known = self.plan.job, self.plan.known
        identity = identify(source, job.read_settings(index), known.store)
        refuse_other_bytes(source.name, job, index, identity)
        refuse_changed(source.name, job, identity, known)
        return identity

    def _add(self, planned: SourcePlan) -> None:
        self._chooser.cover(planned.uid, planned.rows)
        self.plan.sources.append(planned)

    def refuse_unseen(self) -> None:
        """A member that no record of any source has is a slip of the pen; one that some have is optional."""
        for text, words in self._unseen[0].items() if self._unseen else ():
            if all(text in missing for missing in self._unseen):
                raise MappingError(words)

    def _count(self, source: Source, chosen: Chosen) -> None:
        plan, judged = self.plan, chosen.judged
        plan.left += judged.left
        plan.counts.read += len(judged) + chosen.beyond
        plan.columns.update(dict.fromkeys(judged.columns()))
        plan.valid += chosen.count(Fate.SEND)
        plan.ended += chosen.count(Fate.ENDED) + chosen.count(Fate.NOTED)
        ends = [*not_sent(chosen, self._severities).values(), *(end for _, end in unreadable_now(chosen))]
        for end in ends:
            plan.counts.add(end.outcome, end.status, end.reason)
        count_skipped(plan.counts, chosen)
        plan.counts.skip("limit", chosen.beyond)
        if chosen.names.notes is not None:
            plan.carried.update(chosen.names.uids)
        plan.tally.add(source.name, judged, chosen.fates == Fate.SEND)


class _Rows:
    """How many rows a source has, and which was the last that could not be read."""

    def __init__(self) -> None:
        self.read = 0
        self._last_unreadable = 0

    def add(self, judged: Judged) -> None:
        """Count a chunk."""
        self.read += len(judged) + judged.left
        self._last_unreadable = max([self._last_unreadable, *(r.row for r in judged.chunk.unreadable)])

    def are_torn(self, reader: Reader) -> bool:
        """Whether the last of them is not whole: the source breaks off, or was still being written."""
        is_open = reader.fingerprint.whole_lines[0] < reader.fingerprint.length
        return reader.is_cut or (is_open and self._last_unreadable == self.read > 0)


def _source_plan(
    reader: Reader,
    rows: _Rows,
    stamp: tuple[int, int],
    identity: Identity,
    beginning: Beginning,
    read: ReadSettings,
) -> SourcePlan:
    if reader.fingerprint.digest != identity.fingerprint.digest:
        raise SourceError(
            f"{reader.source.name} changed while it was being planned. Nothing was sent; "
            "start again when nothing writes to the file."
        )
    return SourcePlan(
        source=reader.source,
        read=read,
        format=reader.format,
        encoding=reader.encoding,
        compression=reader.compression,
        delimiter=reader.delimiter,
        header=reader.header,
        rows=rows.read,
        fingerprint=reader.fingerprint,
        stamp=stamp,
        content=content_read(reader, read, identity, beginning.head, torn=rows.are_torn(reader)),
        resolved=identity.resolved,
        opening=beginning.opening,
    )
