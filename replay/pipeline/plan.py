"""The first pass over the sources: everything that can be known before the first request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.errors import MappingError, SourceError
from replay.pipeline.stages import Job, Judged, Judging
from replay.pipeline.tally import Tally
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from replay.source import Fingerprint, Reader, Source

Watch = Callable[[int, int], None]
"""Is told the bytes read of all sources, and their size."""


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What one source is, and how much of it there is."""

    source: Source
    format: str
    encoding: str
    compression: str | None
    delimiter: str | None
    header: tuple[str, ...]
    rows: int
    fingerprint: Fingerprint
    stamp: tuple[int, int]

    @property
    def uid(self) -> str:
        """A name for its content, the same whatever the file's name or compression."""
        return self.fingerprint.digest[:12]


@dataclass(slots=True)
class Plan:
    """What a run is about to do. `read` = `valid` + `invalid` + `skipped`."""

    job: Job
    tally: Tally
    sources: list[SourcePlan] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    read: int = 0
    valid: int = 0
    invalid: int = 0
    skipped: int = 0
    left: int = 0

    def seconds(self, rate: float | None) -> float | None:
        """How long the valid rows take at this rate, if there is one."""
        return None if rate is None else self.valid / rate


def make_plan(
    job: Job,
    limit: int | None = None,
    watch: Watch | None = None,
    listen: Callable[[str, Judged], None] | None = None,
) -> Plan:
    """Read every row of every source once, map it and judge it.

    After `limit` valid rows the others count as skipped. `listen` is told each judged chunk.
    Raises MappingError where the mapping does not fit a source, or names a member that no record has.
    """
    plan = Plan(job, Tally(job.severities()))
    judge = Judge(job.severities())
    total = sum(size_of(source) for source in job.sources)
    done = 0
    unseen: list[dict[str, str]] = []
    for index, source in enumerate(job.sources):
        stamp = stamp_of(source)
        with open_source(source, job.read_settings(index)) as reader:
            before = plan.read
            judging = Judging(job, judge, reader)
            for judged in judging:
                _count(plan, source, judged, limit)
                if listen is not None:
                    listen(source.name, judged)
                if watch is not None:
                    watch(done + judged.chunk.position, total)
            plan.sources.append(_source_plan(reader, plan.read - before, stamp))
            unseen.append(judging.unseen())
            done += size_of(source)
    _refuse_unseen([missing for missing, planned in zip(unseen, plan.sources, strict=True) if planned.rows])
    return plan


def _refuse_unseen(unseen: list[dict[str, str]]) -> None:
    """A member that no record of any source has is a slip of the pen; one that some have is optional."""
    for text in unseen[0] if unseen else ():
        if all(text in missing for missing in unseen):
            raise MappingError(unseen[0][text])


def _count(plan: Plan, source: Source, judged: Judged, limit: int | None) -> None:
    plan.left += judged.left
    plan.read += len(judged)
    plan.columns.update(dict.fromkeys(judged.columns()))
    within = judged if limit is None else judged.upto(limit - plan.valid)
    plan.skipped += len(judged) - len(within)
    invalid = int(within.invalid.sum())
    plan.valid += len(within.chunk) - invalid
    plan.invalid += invalid + len(within.chunk.unreadable)
    plan.tally.add(source.name, within)


def _source_plan(reader: Reader, rows: int, stamp: tuple[int, int]) -> SourcePlan:
    return SourcePlan(
        source=reader.source,
        format=reader.format,
        encoding=reader.encoding,
        compression=reader.compression,
        delimiter=reader.delimiter,
        header=reader.header,
        rows=rows,
        fingerprint=reader.fingerprint,
        stamp=stamp,
    )


def size_of(source: Source) -> int:
    """Bytes of a source on disk."""
    return stamp_of(source)[0]


def stamp_of(source: Source) -> tuple[int, int]:
    """Size and modification time (ns): when they differ, the file was written to."""
    if source.path is None:
        raise SourceError(f"{source.name}: was not stored before it was read.")
    try:
        status = source.path.stat()
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}.") from error
    return status.st_size, status.st_mtime_ns
