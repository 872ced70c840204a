"""The report of a run: what is known of it gathered, and written into its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import ReplayError, StorageError, UsageError
from replay.ledger import open_ledger, run_id
from replay.pipeline.coursing import course_of
from replay.pipeline.examples import Examples
from replay.pipeline.ledgers import is_at_work
from replay.pipeline.masking import with_mask
from replay.pipeline.record import failed_sources_of, kept_sources, mapping_of, mask_of, rules_of
from replay.pipeline.resuming import ledger_of
from replay.pipeline.settling import standing, tell_if_killed
from replay.pipeline.stages import Job
from replay.report import (
    Course,
    ToldRun,
    load_page,
    read_summary,
    salt_of,
    shown,
    typed,
    typed_file,
    typed_resend,
    write_whole,
)
from replay.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from replay.masks import Mask
    from replay.report import RunFolder

_EVENT_KEY: Final = "event.key"
_NO_COURSE: Final = "How the run went over time is not known: its ledger holds no samples of it."


def write_report(
    folder: RunFolder,
    summary: dict[str, Any],
    course: Course,
    mask: Mask | None = None,
    *,
    how: str = "",
    remarks: tuple[str, ...] = (),
) -> Path:
    """Write the report of a run into its folder; `how` is `killed` or `live` where the run is that.

    `mask`: what is masked now, if that is more than when the run told of it.
    Raises UsageError where the extra is not installed, StorageError where there is no room.
    """
    page = load_page()
    record, before = folder.read_record(), mask_of(folder)
    mask = mask or before
    if mask.covers(_EVENT_KEY) and not before.covers(_EVENT_KEY):
        course.mask_keys(mask.hash)
    examples = Examples(folder, mask)
    examples.look_for(summary.get("reasons") or ())
    told = ToldRun(
        summary={**summary, "reasons": examples.masked(summary.get("reasons") or ())},
        record=record,
        course=course,
        typed=typed(folder.run, shown(folder.path)),
        typed_resend=typed_resend(folder.run, shown(folder.path)),
        typed_unreadable=typed_file(shown(folder.unreadable), folder.run, shown(folder.path)),
        examples=examples.found,
        standing=how,
        masked=mask.fields,
        remarks=remarks,
    )
    write_whole(folder.report, page.run_page(told))
    return folder.report


def report_run(folder: RunFolder, fields: Sequence[str] = ()) -> Path:
    """Write the report of a run that may live, have ended or been killed; its sources may be gone.

    `fields` are masked, besides those that the run masks.
    """
    load_page()
    mask = with_mask(_job_of(folder), fields, salt_of(folder.path.parent)).mask if fields else None
    how = _how(folder)
    summary = read_summary(folder)
    if summary is None:
        raise UsageError(
            f"{folder.summary} cannot be read. Go on with the run first: "
            f"replay resume {typed(folder.run, shown(folder.path))}"
        )
    course, remarks = _course(folder)
    path = write_report(folder, summary, course, mask, how=how, remarks=remarks)
    if how != "live":
        summary["files"]["report"] = shown(path)
        write_whole(folder.summary, msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    return path


def renew_report(folder: RunFolder) -> str | None:
    """Write the report of a run anew if it has one; what to say where that cannot be done."""
    if not folder.report.exists():
        return None
    try:
        report_run(folder)
    except ReplayError as error:
        return f"{shown(folder.report)} still says what it said before. {error}"
    return None


def _job_of(folder: RunFolder) -> Job:
    """What is left of a run's job: its failed files, and those of its sources that are still there."""
    failed = [(Source(path.name, path), read) for path, read in failed_sources_of(folder)]
    kept = [(source, read) for source, read, _ in kept_sources(folder.read_record())]
    there = [*failed, *((source, read) for source, read in kept if source.path and source.path.is_file())]
    if not there:
        raise UsageError("--mask: the sources are gone, and there is no failed file to look at.")
    sources, reads = zip(*there, strict=True)
    return Job(sources, mapping_of(folder), reads, rules_of(folder), mask=mask_of(folder))


def _how(folder: RunFolder) -> str:
    """Whether a run lives or was killed; one that was is told to its end."""
    if is_at_work(folder):
        return "live"
    if not standing(folder).get("killed"):
        return ""
    try:
        tell_if_killed(folder)
    except ReplayError:
        return "killed"  # its ledger is gone: the summary is all there is
    return "killed"


def _course(folder: RunFolder) -> tuple[Course, tuple[str, ...]]:
    """The course of a run, and what to say where it is not known."""
    try:
        with open_ledger(ledger_of(folder), reading=True) as store:
            run = run_id(store, folder.run)
            course = Course() if run is None else course_of(store, run)
    except StorageError as error:
        return Course(), (f"{_NO_COURSE} {error}",)
    return course, () if course.stretches else (_NO_COURSE,)
