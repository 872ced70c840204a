"""`--mask`: which values of a job are not shown, by a look at the beginning of each source."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from replay.mapping import Traces
from replay.pipeline.stages import Judging
from replay.report import salt_of
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.pipeline.stages import Job
    from replay.settings import RunSettings


def masked(job: Job, fields: Sequence[str], settings: RunSettings) -> tuple[Job, RunSettings]:
    """A job and its settings with these fields masked, by the salt of their runs folder."""
    if not (fields or job.mask):
        return job, settings
    salt = salt_of(settings.runs, make=not settings.dry_run)
    job = with_mask(job, fields, salt)
    return job, replace(settings, sink=replace(settings.sink, mask=job.mask))


def with_mask(job: Job, fields: Sequence[str], salt: bytes) -> Job:
    """The job with the values of these fields masked, besides those that it masks already.

    Raises UsageError for a field that no source has, with near matches.
    """
    fields = [*job.mask.fields, *fields]
    if not fields:
        return job
    traces, judge = Traces(), Judge(job.severities())
    for index, source in enumerate(job.sources):
        with open_source(source, job.read_settings(index)) as reader:
            judging = Judging(job, judge, reader, f"source {index}")
            judged = next(iter(judging), None)
            if judging.bound is not None:
                columns = reader.header if judged is None else judged.columns()
                traces.add(judging.bound, columns, judged.mapped.columns if judged is not None else ())
    return replace(job, mask=traces.mask(fields, salt))
