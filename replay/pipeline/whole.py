"""The failed and unreadable rows of a run, written whole: what the ledger says, on the sources' own rows."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replay.errors import SourceError
from replay.ledger import content_of_uid, copy_of, has_words, target_of, words
from replay.pipeline.edits import keep_edited, keep_edited_unreadable
from replay.pipeline.identity import is_still
from replay.pipeline.naming import names_of
from replay.pipeline.record import kept_sources, read_failed
from replay.report import (
    FailedFile,
    Files,
    Note,
    Notes,
    RowLog,
    UnreadableFile,
    carried_notes,
    first_name,
    shape_of,
    shown,
)
from replay.source import fingerprint_of, open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from replay.ledger import Store
    from replay.pipeline.naming import Names
    from replay.records import Chunk, Result, Unreadable
    from replay.report import RunFolder, Shape
    from replay.settings import ReadSettings
    from replay.source import Source


@dataclass(frozen=True, slots=True)
class Kept:
    """A source of a run, and where its failed rows go; `carries`: its rows may have names of their own.

    `read_failed`: how its failed file is read back.
    """

    source: Source
    read: ReadSettings
    uid: str
    failed: FailedFile
    read_failed: ReadSettings
    carries: bool = True


class Told:
    """How a run ended the rows that it did not deliver, as the ledger knows it.

    `copy_of` gives the ledger's copy of a content by its name.
    """

    def __init__(self, store: Store, run: int, copy_of: Callable[[str], int | None]) -> None:
        self._store = store
        self._run = run
        self._copy_of = copy_of

    def knows(self, kept: Kept) -> bool:
        """Whether anything may be told of a source's rows."""
        copy = self._copy_of(kept.uid)
        return kept.carries or (copy is not None and has_words(self._store, self._run, [copy]))

    def of_chunk(self, names: Names) -> dict[int, Result]:
        """How rows of a chunk ended, by place, ascending."""
        found: dict[int, Result] = {}
        for uid, places in names.by_content():
            rows = names.rows[places].tolist()
            told = self._words(uid, rows)
            found |= {
                place: told[row] for place, row in zip(places.tolist(), rows, strict=True) if row in told
            }
        return dict(sorted(found.items()))

    def of_unreadable(self, uid: str, records: Sequence[Unreadable]) -> list[Unreadable]:
        """Those of some unreadable records that the run came to."""
        told = self._words(uid, [record.row for record in records])
        return [record for record in records if record.row in told]

    def _words(self, uid: str, rows: list[int]) -> dict[int, Result]:
        copy = self._copy_of(uid)
        if copy is None or not rows:
            return {}
        return words(self._store, self._run, copy, min(rows), max(rows))


def notes_on(chunk: Chunk, uid: str, results: dict[int, Result], run: str) -> Notes:
    """Our notes on rows of a chunk of the source whose content has this name, written by this run."""
    carried = carried_notes(chunk, list(results))
    return {
        place: Note(*first_name(note, uid, int(chunk.rows[place])), result, run)
        for (place, result), note in zip(results.items(), carried, strict=True)
    }


def make_whole(
    kept: Sequence[Kept],
    told: Told,
    folder: RunFolder,
    is_intact: Callable[[int], bool],
    *,
    is_alive: bool = False,
) -> Files:
    """Write the failed files and the unreadable records whole, in the order of their sources.

    `is_intact` says of a source whether it is still what the run read; where it is not, what was written
    while the run lived is all there is. `is_alive`: the process that wrote the files is this one.
    """
    intact = [is_intact(index) for index in range(len(kept))]
    for one, is_rebuilt in zip(kept, intact, strict=True):
        # of a file that is not written again, the edited one is all there is
        if is_rebuilt or len(one.failed.left_before) > 1:
            keep_edited(one)
    failed = [
        _finish(one, told, folder.run) if as_it_was else one.failed.keep()
        for one, as_it_was in zip(kept, intact, strict=True)
    ]
    unreadable = UnreadableFile(folder.unreadable)
    if all(intact) and unreadable.exists:
        if not is_alive:
            keep_edited_unreadable(unreadable, kept)
        return files_of(folder, failed, _finish_unreadable(unreadable, kept, told))
    return files_of(folder, failed, unreadable.keep())


def files_of(folder: RunFolder, failed: Sequence[Path | None], unreadable: Path | None) -> Files:
    """Where a run's files are."""
    return Files(
        folder=shown(folder.path),
        failed=tuple(shown(path) for path in failed if path is not None),
        unreadable=shown(unreadable) if unreadable else None,
    )


def make_files_whole(folder: RunFolder, store: Store, run: int) -> Files:
    """Write the files of a run that is not alive, from its record."""
    sources = kept_sources(folder.read_record())
    kept = [_kept(folder, *source) for source in sources]
    intact = [_holds(source, read, stored["digest"]) for source, read, stored in sources]
    target = target_of(store, run)

    def copy(uid: str) -> int | None:
        content = content_of_uid(store, uid)
        return None if content is None else copy_of(store, target, content)

    return make_whole(kept, Told(store, run, copy), folder, intact.__getitem__)


def _kept(folder: RunFolder, source: Source, read: ReadSettings, stored: dict[str, Any]) -> Kept:
    """A source by its record; where it is gone nothing is written to its failed file, whatever its shape."""
    shape = shape_of(stored["format"], (), stored.get("delimiter"))
    with suppress(SourceError), open_source(source, read) as reader:
        shape = shape_of(reader.format, reader.header, reader.delimiter)
    failed = failed_file(folder, stored["failed"], shape)
    return Kept(source, read, stored["uid"], failed, read_failed(stored))


def failed_file(folder: RunFolder, name: str, shape: Shape) -> FailedFile:
    """A failed file of a run, and the digests of its rows."""
    return FailedFile(folder.failed / name, shape, RowLog(folder.digests / name))


def _holds(source: Source, read: ReadSettings, digest: str) -> bool:
    """Whether a source is there, with these bytes."""
    try:
        return is_still(source, fingerprint_of(source, read), digest)
    except SourceError:
        return False


def _finish(kept: Kept, told: Told, run: str) -> Path | None:
    """Write one failed file whole; if its source is gone meanwhile, what it holds is all there is."""
    try:
        return kept.failed.finish(_failed_rows(kept, told, run) if told.knows(kept) else iter(()))
    except SourceError:
        return kept.failed.keep()


def _failed_rows(kept: Kept, told: Told, run: str) -> Iterator[tuple[Chunk, Notes]]:
    with open_source(kept.source, kept.read) as reader:
        for chunk in reader:
            if results := told.of_chunk(names_of(chunk, kept.uid)):
                yield chunk, notes_on(chunk, kept.uid, results, run)


def _finish_unreadable(file: UnreadableFile, kept: Sequence[Kept], told: Told) -> Path | None:
    def records() -> Iterator[tuple[str, Unreadable]]:
        done: set[str] = set()  # the same content in two files is told of once
        for one in kept:
            if one.uid in done or not told.knows(one):
                continue
            done.add(one.uid)
            with open_source(one.source, one.read) as reader:
                for chunk in reader:
                    for record in told.of_unreadable(one.uid, chunk.unreadable):
                        yield one.source.name, record

    try:
        return file.finish(records())
    except SourceError:
        return file.keep()
