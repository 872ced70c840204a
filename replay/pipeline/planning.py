"""The first pass over the sources: every row is read, mapped, judged, and decided about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from replay.errors import MappingError, SourceError
from replay.ledger import cut_lengths, has_arrived, lacks_part, lengths, readings_of
from replay.pipeline.choosing import Fate, Known
from replay.pipeline.endings import count_skipped, not_sent, unreadable_now
from replay.pipeline.identity import Beginning, Found, content_read, identify, part_of
from replay.pipeline.ids import Ids
from replay.pipeline.plan import Plan, SourcePlan, stamp_of
from replay.pipeline.refusing import (
    comes_with_other_mapping,
    refuse_beginnings,
    refuse_changed,
    refuse_other_bytes,
    refuse_other_reading,
)
from replay.pipeline.stages import Job, Judged, Judging
from replay.pipeline.starts import RowStarts
from replay.pipeline.tally import Tally
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.ledger import Reading
    from replay.pipeline.choosing import Chosen
    from replay.pipeline.identity import Identity
    from replay.records import Chunk
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
    planning.refuse()
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
        self.plan.delivered_in = self._chooser.delivered_in
        # a run that goes on was asked when it began
        self._ids = Ids(job, known.store) if known is not None and not job.digests else None
        self._unseen: list[dict[str, str]] = []
        self._lengths = [] if known is None or known.store is None else lengths(known.store)

    def read(self, index: int, source: Source) -> Iterator[int]:
        """Read one source to its end; yields how many of its bytes were read so far."""
        identity = self._identify(index, source) if self._is_to_be_sent else None
        uid = f"source {index}" if identity is None else identity.resolved.uid
        stamp = stamp_of(source)
        rows = _Rows()
        read = self.plan.job.read_settings(index)
        delivered_before = self.plan.delivered_in.total()
        with open_source(source, read) as reader:
            if self._ids is not None:
                self._ids.begin(reader.header, source.name)
            beginning, readings = Beginning(reader, part_of(read)), self._readings(identity)
            starts = RowStarts(reading.rows for reading in readings)
            judging = Judging(self.plan.job, self._judge, reader, uid, self._look(source, beginning, starts))
            for judged in judging:
                self._count(source, self._chooser.choose(judged, uid))
                rows.add(judged)
                if self._listen is not None:
                    self._listen(source.name, judged)
                yield judged.chunk.position
            if self._ids is not None:
                self._ids.end(source.name)
            if identity is not None:
                refuse_other_reading(source.name, read, starts, readings)
                found = Found(beginning, starts, rows.are_torn(reader))
                self._add(_source_plan(reader, rows.read, stamp, identity, found, read))
                self._note(source, read, identity, self.plan.delivered_in.total() - delivered_before)
        if rows.read:
            self._unseen.append(judging.unseen())

    def _look(self, source: Source, beginning: Beginning, starts: RowStarts) -> Callable[[Chunk], None]:
        """What looks at each chunk as it was read."""

        def look(chunk: Chunk) -> None:
            beginning.add(chunk)
            starts.add(chunk)
            if self._ids is not None:
                self._ids.add(source.name, chunk)

        return look

    def _identify(self, index: int, source: Source) -> Identity:
        """What a source is, unless the ledger knows better than to send it."""
        job, known = self.plan.job, self.plan.known
        identity = identify(source, job.read_settings(index), known.store, known.target, self._lengths)
        refuse_other_bytes(source, job, index, identity)
        refuse_changed(source.name, job, identity, known)
        return identity

    def _readings(self, identity: Identity | None) -> dict[Reading, str]:
        """How earlier runs read what this source holds, if rows of it arrived."""
        known = self.plan.known
        if identity is None or known.again or self.plan.job.selection is not None:
            return {}
        copy = known.copy(identity.resolved.id)
        if known.store is None or copy is None or not has_arrived(known.store, copy):
            return {}
        assert identity.resolved.id is not None
        length, cuts = identity.fingerprint.length, cut_lengths(known.store, identity.resolved.id)
        return {
            reading: run
            for reading, run in readings_of(known.store, copy).items()
            if (reading.length == length if identity.resolved.is_cut else reading.length <= length)
            and (identity.resolved.is_cut or reading.length not in cuts)
        }

    def _add(self, planned: SourcePlan) -> None:
        self._chooser.cover(planned.uid, planned.rows)
        self.plan.sources.append(planned)

    def _note(self, source: Source, read: ReadSettings, identity: Identity, delivered: int) -> None:
        """Note what a person should know of a source that earlier runs sent."""
        if read.records is not None and delivered and self._lacks_part(identity):
            text = f"{source.name}: rows were sent by an older version, which did not note --records"
            self.plan.notes.append(("records", f"{text}: they count as delivered from any array of it"))
        if comes_with_other_mapping(self.plan.job, identity, self.plan.known):
            rows = "1 row that was" if delivered == 1 else f"{delivered:,} rows that were"
            text = f"{source.name}: another one than before; {rows} delivered are not sent again"
            self.plan.notes.append(("mapping", text))

    def _lacks_part(self, identity: Identity) -> bool:
        store, content = self.plan.known.store, identity.resolved.id
        return store is not None and content is not None and lacks_part(store, content)

    def refuse(self) -> None:
        """Refuse what only all sources together show. Raises UsageError and MappingError."""
        if self._ids is not None:
            self._ids.refuse()
        self._refuse_unseen()

    def _refuse_unseen(self) -> None:
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
            plan.counts.add(end)
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
        self.read += len(judged) + judged.left + judged.blank
        self._last_unreadable = max([self._last_unreadable, *(r.row for r in judged.chunk.unreadable)])

    def are_torn(self, reader: Reader) -> bool:
        """Whether the last of them is not whole: the source breaks off, or was still being written."""
        is_open = reader.fingerprint.whole_lines[0] < reader.fingerprint.length
        return reader.is_cut or (is_open and self._last_unreadable == self.read > 0)


def _source_plan(
    reader: Reader,
    rows: int,
    stamp: tuple[int, int],
    identity: Identity,
    found: Found,
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
        rows=rows,
        fingerprint=reader.fingerprint,
        stamp=stamp,
        content=content_read(reader, read, identity, found),
        resolved=identity.resolved,
        opening=found.beginning.opening,
    )
