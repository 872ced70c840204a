"""What a run is about to do: everything that is known before the first request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.errors import SourceError
from replay.pipeline.choosing import Chooser, Known
from replay.report import Counts

if TYPE_CHECKING:
    from replay.ledger import Content, Resolved
    from replay.pipeline.stages import Job
    from replay.pipeline.tally import Tally
    from replay.settings import ReadSettings
    from replay.source import Fingerprint, Source


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What one source is, and how much of it there is.

    `uid`: the name of its content, the same whatever the file's name or compression; `content` and
    `resolved`: what the ledger is told of it, and knows it as. `opening`: a digest of its header and
    first row.
    """

    source: Source
    read: ReadSettings
    format: str
    encoding: str
    compression: str | None
    delimiter: str | None
    header: tuple[str, ...]
    rows: int
    fingerprint: Fingerprint
    stamp: tuple[int, int]
    content: Content
    resolved: Resolved
    opening: str

    @property
    def uid(self) -> str:
        """The name of its content."""
        return self.resolved.uid


@dataclass(slots=True)
class Plan:
    """What a run is about to do: `read` = `valid` + `ended` + what `counts` holds.

    `valid`: to be sent; `ended`: told of by an earlier leg of the same run; `counts`: how the others
    end; `left`: rows that a resend leaves alone, counted nowhere. `bytes_to_send`: bytes on
    the disk up to the last row that is sent. `carried`: names of the contents that failed files speak of.
    `delivered_in`: rows skipped as delivered, by the earlier run that delivered them. `notes`: what else
    the ledger knows of the sources, as (label, text).
    """

    job: Job
    tally: Tally
    known: Known
    counts: Counts = field(default_factory=lambda: Counts(0))
    sources: list[SourcePlan] = field(default_factory=list)
    columns: dict[str, None] = field(default_factory=dict)
    valid: int = 0
    ended: int = 0
    left: int = 0
    bytes_to_send: int = 0
    carried: set[str] = field(default_factory=set)
    delivered_in: Counter[str] = field(default_factory=Counter)
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def read(self) -> int:
        """All rows of all sources."""
        return self.counts.read

    @property
    def invalid(self) -> int:
        """Rows that cannot be sent."""
        return self.counts.rows["invalid"]

    @property
    def ambiguous(self) -> int:
        """Rows that earlier runs left ambiguous, and that are not sent."""
        return self.counts.rows["ambiguous"]

    @property
    def skipped(self) -> Counter[str]:
        """Rows that are not sent on purpose, by cause."""
        return self.counts.reasons.by_cause()

    def seconds(self, rate: float | None) -> float | None:
        """How long the valid rows take at this rate, if there is one."""
        return None if rate is None else self.valid / rate

    def chooser(self, known: Known | None = None) -> Chooser:
        """What decides which rows are sent, from the first row on; `known` if that is more by now."""
        return chooser_of(self.job, known or self.known)


def chooser_of(job: Job, known: Known) -> Chooser:
    """What decides which rows of a job are sent."""
    return Chooser(known, limit=job.limit, sample=job.sample, resends_ambiguous=job.resends_ambiguous)


def stamp_of(source: Source) -> tuple[int, int]:
    """Size and modification time (ns): when they differ, the file was written to."""
    if source.path is None:
        raise SourceError(f"{source.name}: was not stored before it was read.")
    try:
        status = source.path.stat()
    except OSError as error:
        raise SourceError(f"{source.name} cannot be read: {error.strerror}.") from error
    return status.st_size, status.st_mtime_ns
