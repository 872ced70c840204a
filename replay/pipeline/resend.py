"""`resend`: which failed rows are meant, which run they belong to, and what they were mapped with."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError
from replay.ledger import FILE_NAME as LEDGER_FILE
from replay.ledger import open_ledger, run_id, runs_that_failed, target_of
from replay.masks import Mask
from replay.pipeline.edits import refuse_edited
from replay.pipeline.ids import no_failed_file, refuse_header
from replay.pipeline.latest import found_run
from replay.pipeline.record import (
    failed_sources_of,
    mapping_of,
    mask_of,
    read_of_failed_file,
    rules_of,
    run_of_failed_file,
    run_of_uid,
)
from replay.pipeline.refusing import mapping_digest
from replay.pipeline.repairing import repaired, run_of_unreadable
from replay.pipeline.settling import tell_if_killed
from replay.pipeline.stages import Job
from replay.records import Outcome
from replay.report import (
    EDITED,
    PART,
    RESENT,
    RunFolder,
    Selection,
    carried_notes,
    find_run,
    parse_id,
    shown,
    typed_file,
    typed_runs,
)
from replay.settings import ReadSettings
from replay.source import find, open_source

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict
    from collections.abc import Sequence

    from replay.ledger import Store
    from replay.mapping import Mapping
    from replay.settings import Postgres, Severity

FAILED_OUTCOMES: Final = tuple(
    outcome.value for outcome in (Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.AMBIGUOUS, Outcome.INVALID)
)
ROWS_ASKED: Final = 20  # rows without the name of their run, whose run the ledger is asked for

FailedFile = tuple[Path, ReadSettings]
"""A failed file, and how it is read."""


def tell_of_dead(run_or_file: str, runs: Path, ledger: str | None = None) -> None:
    """What a killed run had in flight is not in its failed files yet. Raises BusyError while it lives.

    `ledger`: the one that was typed.
    """
    folder = found_run(run_or_file, runs) or _run_of_file(Path(run_or_file))
    if folder is None:
        return
    file = Path(run_or_file)
    before = _kept_aside(file)
    tell_if_killed(folder, ledger)
    for path in _kept_aside(file) - before:
        values = typed_file(str(path), folder.run, shown(folder.path))
        raise UsageError(
            f"{file} was edited, and is kept as {path.name}: its run was killed, and it is written again"
            f" from the ledger. Send your values: replay resend {values}"
        )


def _kept_aside(file: Path) -> set[Path]:
    """The copies of a file that were kept because a person edited it."""
    return set(file.parent.glob(f"{glob.escape(file.name)}.edited*")) if file.parent.is_dir() else set()


def run_to_resend(
    run_or_file: str, runs: Path, ledger: Path | Postgres | None
) -> tuple[RunFolder | None, str]:
    """The run whose rows are meant, if it is known, and what names them from now on.

    `last` is looked up once, so that a run which begins meanwhile is not taken for it. `ledger` knows the run
    of a file that does not name it.
    """
    folder = found_run(run_or_file, runs)
    if folder is not None:
        return folder, folder.run if folder.path.parent == runs else str(folder.path)
    if (owner := run_of_unreadable(Path(run_or_file))) is not None:
        return RunFolder(owner), run_or_file
    files, place = [_failed_file(run_or_file, runs)], ledger or runs / LEDGER_FILE
    if isinstance(place, Path) and not place.exists():
        meant = runs_meant(files, None, runs, None)
    else:
        with open_ledger(place, runs, reading=True) as store:
            meant = runs_meant(files, None, runs, store)
    return (meant[0] if meant else None), run_or_file


def resend_job(  # noqa: PLR0913, PLR0917 - the options of a resend
    run_or_file: str,
    runs: Path,
    mapping: Mapping | None,
    rules: Dict[str, Severity],
    only: str | None,
    read: ReadSettings | None = None,
    store: Store | None = None,
    place: Path | None = None,
) -> Job:
    """The job over the failed files of a run, or over one failed file.

    The mapping and rules are those of the run, unless others are given, and what it masks stays masked;
    `read` says how files are read that another program saved in its own way. `store`: the ledger, which
    knows the run of a file that does not name it; `place`: a folder for what is made of repaired rows.
    Raises UsageError where there is no such run or file,
    nothing failed, or rows of runs that differ are in one file.
    """
    selection = RESENT if only is None else parse_only(only)
    folder = found_run(run_or_file, runs)
    left = 0
    if folder is not None:
        refuse_edited(folder)
        known = failed_sources_of(folder)
    elif place is not None and (owner := run_of_unreadable(Path(run_or_file))) is not None:
        folder = RunFolder(owner)
        made = repaired(Path(run_or_file), folder, place)
        known, left = made.files, made.left
    else:
        run_or_file = _renamed(run_or_file)
        known = [_failed_file(run_or_file, runs)]
        owner_folder = run_of_failed_file(known[0][0])
        if owner_folder is not None and not EDITED.search(known[0][0].name):
            refuse_edited(owner_folder)
    # a failed file has a header, and its records stand one on a line, whatever the source was like
    wanted = replace(read or ReadSettings(), columns=None, records=None)
    files = [(path, settings.with_(wanted)) for path, settings in known]
    if folder is not None and not files:
        raise _nothing_to_send(folder)
    meant = runs_meant(files, folder, runs, store)
    refuse_runs_that_differ(meant, store, is_mapped=mapping is not None)
    mask = Mask()
    if meant:
        mask = _masks_of(meant)
        mapping = mapping or mapping_of(meant[0])
        rules = {**rules_of(meant[0]), **rules}
    sources = tuple(source for path, settings in files for source in find([str(path)], settings))
    read_as = tuple(settings for _, settings in files)
    return Job(sources, mapping, read_as, rules, selection, mask=mask, still_unreadable=left)


def _renamed(name: str) -> str:
    """The file that a killed run left as a `.part`, by the name that it has once the run was recovered."""
    return name.removesuffix(PART) if not Path(name).exists() else name


def _nothing_to_send(folder: RunFolder) -> UsageError:
    text = f"Run {folder.run} left no failed rows: there is nothing to send again."
    if folder.unreadable.is_file():
        file = shown(folder.unreadable)
        text += (
            f" Its rows that could not be read are in {file}: fix their `raw`, then: "
            f"replay resend {typed_file(file, folder.run, shown(folder.path))}"
        )
    return UsageError(text)


def _run_of_file(path: Path) -> RunFolder | None:
    """The run in whose folder a failed file, or one of unreadable rows, lies."""
    owner = run_of_unreadable(path)
    return RunFolder(owner) if owner is not None else run_of_failed_file(path)


def runs_meant(
    files: Sequence[FailedFile], folder: RunFolder | None, runs: Path, store: Store | None
) -> list[RunFolder]:
    """The runs that rows of these failed files belong to; the first is the one whose mapping is used.

    `folder`: the run that was asked for, if it was. A row belongs to the run that it names; where it names
    none, to the one in whose folder the file lies, else to the one that recorded it in the ledger.
    """
    found: dict[str, RunFolder] = {} if folder is None else {folder.run: folder}
    for path, read in files:
        named = _named_in(path, read)
        place = run_of_failed_file(path)
        for name in named.runs:
            if name not in found:
                found[name] = _run_called(name, path, place, runs)
        if named.unnamed or not named.runs:
            owner = place or _recorded_run(path, named.rows, runs, store)
            if owner is not None:
                found.setdefault(owner.run, owner)
    return list(found.values())


def refuse_runs_that_differ(meant: Sequence[RunFolder], store: Store | None, *, is_mapped: bool) -> None:
    """Raise UsageError where rows of runs with different targets or mappings would be sent at once.

    `is_mapped`: a mapping was typed, which holds for all of them.
    """
    for other in meant[1:]:
        first = meant[0]
        what = None
        if _target_of(other, store) != _target_of(first, store):
            what = "sent to another target"
        elif not is_mapped and mapping_digest(mapping_of(other)) != mapping_digest(mapping_of(first)):
            what = "used another mapping"
        if what is not None:
            raise UsageError(
                f"The file has rows of the runs {first.run} and {other.run}, and {other.run} {what}. "
                "Put the rows of each run in a file of their own, and resend one after the other."
            )


def _target_of(folder: RunFolder, store: Store | None) -> tuple[str, int | None]:
    """Where a run sent: its address, and the target in the ledger, which knows environments apart."""
    run = None if store is None else run_id(store, folder.run)
    known = None if run is None or store is None else target_of(store, run)
    return str(folder.read_record()["url"]), known


def _masks_of(meant: Sequence[RunFolder]) -> Mask:
    """All that any of the runs masks stays masked."""
    mask = mask_of(meant[0])
    for folder in meant[1:]:
        other = mask_of(folder)
        if other:
            mask = Mask(
                fields=tuple(dict.fromkeys([*mask.fields, *other.fields])),
                targets=mask.targets | other.targets,
                columns=mask.columns | other.columns,
                salt=mask.salt or other.salt,
            )
    return mask


def _failed_file(name: str, runs: Path) -> FailedFile:
    """A failed file, read as the run in whose folder it lies wrote it."""
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"{name}: neither a run of {runs} nor a failed file. "
            f"`{typed_runs(runs)}` lists the runs there are."
        )
    return path, read_of_failed_file(path) or ReadSettings()


@dataclass(slots=True)
class _Named:
    """The runs that rows of a file name, how many rows name none, and the first of these."""

    runs: dict[str, None] = field(default_factory=dict)
    unnamed: int = 0
    rows: list[tuple[str, int]] = field(default_factory=list)

    def add(self, note: dict[str, str]) -> None:
        """Add the note of a row."""
        if run := note.get("run", "").strip():
            self.runs[run] = None
            return
        self.unnamed += 1
        row = parse_id(note.get("id", ""))
        if row is not None and len(self.rows) < ROWS_ASKED:
            self.rows.append(row)


def _named_in(path: Path, read: ReadSettings) -> _Named:
    """What the rows of a file say of their runs. Raises UsageError where it is no failed file."""
    named, rows, noted = _Named(), 0, 0
    with open_source(find([str(path)], read)[0], read) as reader:
        refuse_header(reader.header, str(path), is_resend=True)
        for chunk in reader:
            for note in carried_notes(chunk, range(len(chunk))):
                rows, noted = rows + 1, noted + bool(note)
                if note:
                    named.add(note)
    if rows and not noted:
        raise no_failed_file(str(path))
    return named


def _run_called(name: str, path: Path, place: RunFolder | None, runs: Path) -> RunFolder:
    """The run that a row names: beside the run in whose folder the file lies, or in the runs folder."""
    if place is not None and place.run == name:
        return place
    beside = None if place is None else find_run(name, place.path.parent)
    folder = beside or find_run(name, runs)
    if folder is None or folder.run != name:
        raise UsageError(
            f"{path}: has rows of run {name}, and {runs} has no such run. "
            "Name the folder of its runs with --runs."
        )
    return folder


def _recorded_run(
    path: Path, rows: Sequence[tuple[str, int]], runs: Path, store: Store | None
) -> RunFolder | None:
    """The run that recorded these rows. Raises UsageError where runs to different targets did."""
    if store is None or not rows:
        return run_of_uid(rows[0][0], runs) if rows else None
    recorded = [runs_that_failed(store, *row) for row in rows]
    common = [name for name in recorded[0] if all(name in names for names in recorded)]
    folders = [folder for name in common if (folder := find_run(name, runs)) is not None]
    if len({_target_of(folder, store) for folder in folders}) > 1:
        names = ", ".join(folder.run for folder in folders)
        raise UsageError(
            f"{path}: the runs {names} recorded its rows, for different targets. "
            "Name the run: replay resend RUN."
        )
    return folders[0] if folders else None


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
