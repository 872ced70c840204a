"""The report of a run: what is known of it gathered, and written into its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import ReplayError, StorageError, UsageError
from replay.ledger import open_ledger, run_id
from replay.pipeline.coursing import course_of
from replay.pipeline.examples import examples_of
from replay.pipeline.ledgers import is_at_work
from replay.pipeline.resuming import ledger_of
from replay.pipeline.settling import standing, tell_if_killed
from replay.report import Course, ToldRun, load_page, read_summary, shown, typed, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from replay.report import RunFolder

_NO_COURSE: Final = "How the run went over time is not known: its ledger holds no samples of it."


def write_report(
    folder: RunFolder,
    summary: dict[str, Any],
    course: Course,
    *,
    how: str = "",
    remarks: tuple[str, ...] = (),
) -> Path:
    """Write the report of a run into its folder; `how` is `killed` or `live` where the run is that.

    Raises UsageError where the extra is not installed, StorageError where there is no room.
    """
    page = load_page()
    record = folder.read_record()
    told = ToldRun(
        summary=summary,
        record=record,
        course=course,
        typed=typed(folder.run, shown(folder.path)),
        examples=examples_of(folder, summary.get("reasons") or ()),
        standing=how,
        remarks=remarks,
    )
    write_whole(folder.report, page.run_page(told))
    return folder.report


def report_run(folder: RunFolder) -> Path:
    """Write the report of a run that may live, have ended or been killed; its sources may be gone."""
    load_page()
    how = _how(folder)
    summary = read_summary(folder)
    if summary is None:
        raise UsageError(
            f"{folder.summary} cannot be read. Go on with the run first: "
            f"replay resume {typed(folder.run, shown(folder.path))}"
        )
    course, remarks = _course(folder)
    path = write_report(folder, summary, course, how=how, remarks=remarks)
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
        with open_ledger(ledger_of(folder)) as store:
            run = run_id(store, folder.run)
            course = Course() if run is None else course_of(store, run)
    except StorageError as error:
        return Course(), (f"{_NO_COURSE} {error}",)
    return course, () if course.stretches else (_NO_COURSE,)
