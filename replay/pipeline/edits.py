"""Failed files that a person edited: recognized by the digests of what was written, and never overwritten."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from replay.errors import SourceError, UsageError
from replay.pipeline.naming import names_of
from replay.report import (
    EDITED,
    PART,
    RUN_COLUMN,
    all_runs,
    carried_notes,
    line_of,
    logged,
    parse_id,
    read_record_or_none,
    read_summary,
    row_digests,
    shown,
    typed_file,
)
from replay.settings import TABLES, ReadSettings
from replay.source import Source, fingerprint_of, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replay.pipeline.whole import Kept
    from replay.records import Chunk
    from replay.report import RunFolder, UnreadableFile

Row = tuple[str, str]
"""A row's id, and the digest of its data."""


class _EditedError(Exception):
    """The file holds what no run writes."""


def keep_edited(kept: Kept) -> None:
    """Set the failed file of a source aside where a person edited it, and its `.part`, too.

    What this process appended itself is not looked at.
    """
    left = kept.failed.left_before
    for path in reversed(left):  # the `.part` first: beside a whole file it is what a kill left of it
        if not _is_written(kept, path):
            kept.failed.set_aside(path)
        elif path != left[0]:
            path.unlink()


def keep_edited_unreadable(file: UnreadableFile, kept: Sequence[Kept]) -> None:
    """Set the file of unreadable rows aside where a person edited it: its lines are not the sources' own."""
    for path in file.left_before:
        with path.open("rb") as lines:
            wanted = (line for line in lines if line.endswith(b"\n") or not path.name.endswith(PART))
            if not _has_all(_unreadable_lines(kept), wanted):
                file.set_aside(path)


def _has_all(lines: Iterator[bytes], wanted: Iterator[bytes]) -> bool:
    """Whether all wanted lines come in this order, others between them."""
    return all(line in lines for line in wanted)


def _unreadable_lines(kept: Sequence[Kept]) -> Iterator[bytes]:
    for one in kept:
        try:
            with open_source(one.source, one.read) as reader:
                for chunk in reader:
                    yield from (line_of(one.source.name, record) for record in chunk.unreadable)
        except SourceError:  # it is gone: what was written of it cannot be compared
            return


def refuse_edited(folder: RunFolder) -> None:
    """Raise UsageError where an edited failed file was set aside, and its values were never sent again."""
    if unsent := edited_unsent(folder):
        commands = " and ".join(
            f"replay resend {typed_file(str(path), folder.run, shown(folder.path))}" for path in unsent
        )
        raise UsageError(
            f"{unsent[0].name.partition('.edited')[0]} of run {folder.run} was edited, and then written "
            f"again from the ledger with the old values. Send the edited values first: {commands}"
        )


def edited_unsent(folder: RunFolder) -> list[Path]:
    """The edited files of a run that were set aside and that no later run sent whole, rehearsals apart."""
    found = sorted(path for path in folder.failed.glob("*.edited*") if EDITED.search(path.name))
    if not found:
        return []
    url = folder.read_record()["url"]
    sent = {
        source.get("digest")
        for other in all_runs(folder.path.parent)
        if (record := read_record_or_none(other)) is not None and _sent_all(other)
        if record.get("url") != "sandbox" or url == "sandbox"
        for source in record.get("sources", [])
    }
    return [path for path in found if _digest_of(path) not in sent]


def _sent_all(run: RunFolder) -> bool:
    """Whether a run came to its end, and left no row for later."""
    summary = read_summary(run) or {}
    left = ((reason.get("outcome"), reason.get("reason")) for reason in summary.get("reasons") or ())
    return summary.get("state") == "finished" and not {("skipped", "limit"), ("skipped", "sample")} & {*left}


def is_of_version_before(kept: Kept) -> bool:
    """Whether the failed file of a source lacks a column that is written today: no row can be added to it."""
    if kept.read_failed.format not in TABLES:
        return False
    return any(not _has_run_column(path) for path in kept.failed.left_before)


def _has_run_column(path: Path) -> bool:
    with path.open("rb") as file:
        return RUN_COLUMN.encode() in file.readline()


def _digest_of(path: Path) -> str:
    return fingerprint_of(Source(path.name, path), ReadSettings()).digest


def _is_written(kept: Kept, path: Path) -> bool:
    """Whether a file holds what the run wrote; if no log said so exactly, one is written for next time."""
    log = kept.failed.log
    is_part = path.name.endswith(PART)
    try:
        for known in log.paths:
            if (matched := _matches(kept, path, known, is_part=is_part)) is not None:
                if not matched or not log.is_of(known, is_part=is_part):
                    log.replace(_rows_of(kept, path, is_part=is_part), is_part=is_part)
                return True
        if log.paths or not _matches_source(kept, path, is_part=is_part):
            return False
        log.replace(_rows_of(kept, path, is_part=is_part), is_part=is_part)
    except (_EditedError, SourceError, UsageError):
        return False
    return True


def _matches(kept: Kept, path: Path, log: Path, *, is_part: bool) -> bool | None:
    """Whether a file holds exactly the rows of a log; None where it holds others.

    False: only rows of the last append are missing from the file, because the process was killed.
    """
    missing = False
    for row, entry in zip_longest(_rows_of(kept, path, is_part=is_part), logged(log)):
        if entry is not None and row is None and entry[1]:
            missing = True
        elif entry is None or row != entry[0]:
            return None
    return not missing


def _matches_source(kept: Kept, path: Path, *, is_part: bool) -> bool:
    """Whether all rows of a file without a log are rows of its source, unchanged and in their order."""
    rows = _rows_of(kept, path, is_part=is_part)
    wanted = next(rows, None)
    with open_source(kept.source, kept.read) as reader:
        for chunk in reader:
            names = names_of(chunk, kept.uid)
            for place, (uid, row) in enumerate(zip(names.uids, names.rows.tolist(), strict=True)):
                if wanted is None:
                    return True
                if wanted[0] == f"{uid}-{row}":
                    if row_digests(chunk, [place]) != [wanted[1]]:
                        return False
                    wanted = next(rows, None)
    return wanted is None


def _rows_of(kept: Kept, path: Path, *, is_part: bool) -> Iterator[Row]:
    """The rows of a failed file. Raises _EditedError where it holds what is no row of ours."""
    is_cut = is_part and not _ends_in_a_line(path)
    with open_source(Source(path.name, path), kept.read_failed) as reader:
        torn = 0
        for chunk in reader:
            if torn or len(chunk.unreadable) > is_cut:
                raise _EditedError
            torn += len(chunk.unreadable)
            yield from _named_rows(chunk)


def _named_rows(chunk: Chunk) -> Iterator[Row]:
    places = range(len(chunk))
    for note, digest in zip(carried_notes(chunk, places), row_digests(chunk, places), strict=True):
        if parse_id(note.get("id", "")) is None:
            raise _EditedError
        yield note["id"], digest


def _ends_in_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 1))
        return file.read() in (b"", b"\n")
