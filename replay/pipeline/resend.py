"""`resend`: which failed rows are meant, and what they were mapped with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError
from replay.masks import Mask
from replay.pipeline.record import (
    failed_sources_of,
    mapping_of,
    mask_of,
    rules_of,
    run_of_failed_file,
    run_of_uid,
)
from replay.pipeline.settling import tell_if_killed
from replay.pipeline.stages import Job
from replay.records import Outcome
from replay.report import RESENT, Selection, carried_notes, find_run, first_name, typed_runs
from replay.settings import ReadSettings
from replay.source import find, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from replay.mapping import Mapping
    from replay.report import RunFolder
    from replay.settings import Severity

FAILED_OUTCOMES: Final = tuple(
    outcome.value for outcome in (Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.AMBIGUOUS, Outcome.INVALID)
)


def tell_of_dead(run_or_file: str, runs: Path) -> None:
    """What a killed run had in flight is not in its failed files yet. Raises BusyError while it lives."""
    folder = find_run(run_or_file, runs) or run_of_failed_file(Path(run_or_file))
    if folder is not None:
        tell_if_killed(folder)


def resend_job(
    run_or_file: str,
    runs: Path,
    mapping: Mapping | None,
    rules: Dict[str, Severity],
    only: str | None,
    read: ReadSettings | None = None,
) -> Job:
    """The job over the failed files of a run, or over one failed file.

    The mapping and rules are those of the run, unless others are given, and what it masks stays masked;
    `read` says how files are read that another program saved in its own way. Raises UsageError where
    there is no such run or file, or nothing failed.
    """
    selection = RESENT if only is None else parse_only(only)
    folder = find_run(run_or_file, runs)
    known = failed_sources_of(folder) if folder is not None else [_failed_file(run_or_file, runs)]
    # a failed file has a header, and its records stand one on a line, whatever the source was like
    wanted = replace(read or ReadSettings(), columns=None, records=None)
    files = [(path, settings.with_(wanted)) for path, settings in known]
    if folder is None:
        folder = run_of_failed_file(files[0][0]) or _run_by_name(*files[0], runs)
    elif not files:
        raise UsageError(f"Run {folder.run} left no failed rows: there is nothing to send again.")
    mask = Mask()
    if folder is not None:
        mask = mask_of(folder)
        mapping = mapping or mapping_of(folder)
        rules = {**rules_of(folder), **rules}
    sources = tuple(source for path, settings in files for source in find([str(path)], settings))
    read_as = tuple(settings for _, settings in files)
    return Job(sources, mapping, read_as, rules, selection, mask=mask)


def _failed_file(name: str, runs: Path) -> tuple[Path, ReadSettings]:
    """A failed file, read as the run in whose folder it lies wrote it."""
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"{name}: neither a run of {runs} nor a failed file. "
            f"`{typed_runs(runs)}` lists the runs there are."
        )
    folder = run_of_failed_file(path)
    known = failed_sources_of(folder) if folder is not None else []
    return next(((path, read) for file, read in known if file.samefile(path)), (path, ReadSettings()))


def _run_by_name(path: Path, read: ReadSettings, runs: Path) -> RunFolder | None:
    """The run that the first row of a failed file names, wherever the file lies now."""
    with open_source(find([str(path)], read)[0], read) as reader:
        for chunk in reader:
            if len(chunk):
                name, _ = first_name(carried_notes(chunk, [0])[0], "", 0)
                return run_of_uid(name.rpartition("-")[0], runs)
    return None


def parse_only(text: str) -> Selection:
    """Read `ambiguous,400`: outcomes and statuses."""
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted:
        if word not in FAILED_OUTCOMES and not (word.isdigit() and len(word) == 3):
            raise UsageError(
                f"--only {word}: neither an outcome ({', '.join(FAILED_OUTCOMES)}) nor a status such as 400."
            )
    if not wanted:
        raise UsageError("--only: name outcomes or statuses, such as ambiguous,400.")
    return Selection(frozenset(wanted))
