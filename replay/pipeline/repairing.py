"""Unreadable rows that a person repaired: made into failed files, and sent again as those are."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import SourceError, UsageError
from replay.pipeline.ids import Flaws
from replay.pipeline.record import failed_settings, kept_sources
from replay.records import Outcome, Result
from replay.report import (
    UNREADABLE_FILE,
    Note,
    PrivateFile,
    carried_notes,
    first_name,
    in_words,
    shape_of,
    shown,
    typed_file,
)
from replay.settings import TABLES
from replay.source import Dialect, fingerprint_of, open_source, read_object, read_row
from replay.source.bounds import RAW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.records import Chunk
    from replay.report import RunFolder, Shape
    from replay.settings import ReadSettings
    from replay.source import Source

_NAME: Final = re.compile(rf"{re.escape(UNREADABLE_FILE)}(\.edited(-[0-9]+)?)?")

Original = tuple[bytes, int]
"""The digest of a record as it is in its source, and how many bytes were kept of it."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """Failed files made of repaired rows, with how they are read; `left`: rows that still cannot be read."""

    files: list[tuple[Path, ReadSettings]]
    left: int


@dataclass(slots=True)
class _Origin:
    """A source of the run: how its records are read and written. `originals`: None where it is gone."""

    stored: dict[str, Any]
    read: ReadSettings
    header: tuple[str, ...]
    shape: Shape
    path: Path
    originals: dict[int, Original] | None
    seen: dict[int, bytes] = field(default_factory=dict)
    file: PrivateFile | None = None

    def record(self, text: bytes) -> tuple[int, Chunk | None]:
        """How many records a text holds, and the one that can be read."""
        if self.stored["format"] not in TABLES:
            return read_object(text)
        quotechar = '"' if self.read.quotechar is None else self.read.quotechar
        return read_row(text, self.header, Dialect(self.stored["delimiter"], quotechar))

    def write(self, chunk: Chunk, row: int, reason: str, run: str) -> None:
        """Add a row, with the note of its first name."""
        (carried,) = carried_notes(chunk, [0])
        named = first_name(carried, self.stored["uid"], row)
        note = Note(*named, Result(Outcome.INVALID, None, 0, reason), carried.get("run", run))
        if self.file is None:
            self.file = PrivateFile(self.path)
            self.file.write(self.shape.head())
        self.file.write(self.shape.rows(chunk, {0: note}))


def run_of_unreadable(path: Path) -> Path | None:
    """The folder of the run whose file of unreadable rows this is."""
    folder = path.resolve().parent
    return folder if _NAME.fullmatch(path.name) and (folder / "run.toml").is_file() else None


def repaired(file: Path, folder: RunFolder, place: Path) -> Repaired:
    """Make failed files of the repaired rows of a run, in the folder `place`.

    A row that is as it was, or still cannot be read, stays invalid. Raises UsageError where a row was cut
    when it was kept, holds two records, or is none of the run's; and where no row was repaired.
    """
    repairing = _Repairing(folder, place)
    with in_words(place):
        try:
            for number, line in _lines_of(file):
                repairing.add(file.name, number, line)
        finally:
            repairing.close()
    if repairing.flaws.count:
        raise UsageError(
            f"{repairing.flaws}. Nothing was sent. Put the row right in its source and send that, or remove "
            f"its line from {file}."
        )
    files = repairing.files()
    if not files:
        raise UsageError(
            f"{file}: none of its {repairing.left:,} rows can be read yet. Fix the text in `raw` (or "
            f"`raw_base64`), then: "
            f"replay resend {typed_file(str(file), folder.run, shown(folder.path))}"
        )
    return Repaired(files, repairing.left)


class _Repairing:
    """The rows of a file, one after another."""

    def __init__(self, folder: RunFolder, place: Path) -> None:
        self.flaws = Flaws()
        self.left = 0
        self._run = folder.run
        self._place = place
        self._kept = {
            stored["name"]: (source, read, stored)
            for source, read, stored in kept_sources(folder.read_record())
        }
        self._origins: dict[str, _Origin] = {}

    def add(self, name: str, number: int, line: dict[str, Any]) -> None:
        """Take in one line of the file."""
        text, row = _text_of(line), line.get("row")
        if text is None or not isinstance(row, int) or line.get("source") not in self._kept:
            self.flaws.add(name, number, "has no source, row and raw of the run")
            return
        origin = self._origin(str(line["source"]))
        flaw = _flaw(origin, row, text)
        if flaw is not None:
            self.flaws.add(name, number, flaw)
        elif row not in origin.seen:
            origin.seen[row] = _digest(text)
            self._write(name, number, origin, row, line)

    def files(self) -> list[tuple[Path, ReadSettings]]:
        """The files that were made."""
        return [
            (origin.path, failed_settings(origin.stored["format"], origin.stored.get("delimiter")))
            for origin in self._origins.values()
            if origin.file is not None
        ]

    def close(self) -> None:
        """Close the files."""
        for origin in self._origins.values():
            if origin.file is not None:
                origin.file.close()

    def _write(self, name: str, number: int, origin: _Origin, row: int, line: dict[str, Any]) -> None:
        text = _decoded(_text_of(line) or b"", origin.stored["encoding"])
        original = (origin.originals or {}).get(row)
        if original is not None and original[0] == origin.seen[row]:
            self.left += 1
            return
        count, chunk = origin.record(text)
        if count > 1:
            self.flaws.add(name, number, f"holds {count} records of {origin.stored['name']}, not one")
        elif chunk is None:
            self.left += 1
        else:
            origin.write(chunk, row, str(line.get("reason", "")), self._run)

    def _origin(self, name: str) -> _Origin:
        if name not in self._origins:
            source, read, stored = self._kept[name]
            header = _header_of(source, read, stored)
            path = self._place / f"repaired-{len(self._origins) + 1}" / stored["failed"]
            path.parent.mkdir(mode=0o700)
            shape = shape_of(stored["format"], header, stored.get("delimiter"))
            originals = _originals(source, read, stored)
            self._origins[name] = _Origin(stored, read, header, shape, path, originals)
        return self._origins[name]


def _flaw(origin: _Origin, row: int, text: bytes) -> str | None:
    """Why the text of a row is not looked at."""
    if origin.seen.get(row, _digest(text)) != _digest(text):
        return f"row {row} of {origin.stored['name']} is there twice, with different texts"
    if origin.originals is None:
        return _CUT if len(text) >= RAW_BYTES else None
    if row not in origin.originals:
        return f"row {row} of {origin.stored['name']} is not unreadable"
    digest, size = origin.originals[row]
    return _CUT if size >= RAW_BYTES and digest != _digest(text) else None


_CUT: Final = f"the row was longer than {RAW_BYTES:,} bytes, and only its beginning was kept"


def _lines_of(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of a file of unreadable rows, with their numbers."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip(b"\xef\xbb\xbf \t\r\n"):
                continue
            try:
                yield number, msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise UsageError(
                    f"{file}, line {number}: not one JSON object: {error}. A text in `raw` is written as in "
                    'JSON: a quote as \\", a line end as \\n.'
                ) from error


def _text_of(line: dict[str, Any]) -> bytes | None:
    """The bytes of a row, without the line end; None where it has none."""
    if isinstance(line.get("raw"), str):
        return str(line["raw"]).encode("utf-8", "surrogatepass").rstrip(b"\r\n")
    try:
        return base64.b64decode(line["raw_base64"], validate=True).rstrip(b"\r\n")
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None


def _decoded(text: bytes, encoding: str) -> bytes:
    """The same in UTF-8, where it is that already or is written in the encoding of its source."""
    for name in ("utf-8", encoding or "utf-8"):
        try:
            return text.decode(name).encode()
        except UnicodeDecodeError:
            continue
    return text


def _header_of(source: Source, read: ReadSettings, stored: dict[str, Any]) -> tuple[str, ...]:
    if stored["format"] not in TABLES:
        return ()
    if "header" in stored:
        return tuple(stored["header"])
    with open_source(source, read) as reader:
        return reader.header


def _originals(source: Source, read: ReadSettings, stored: dict[str, Any]) -> dict[int, Original] | None:
    """The unreadable rows of a source by their number; None where it is gone, or another by now."""
    try:
        if fingerprint_of(source, read).digest != stored["digest"]:
            return None
        with open_source(source, read) as reader:
            return {
                record.row: (_digest(record.raw), len(record.raw))
                for chunk in reader
                for record in chunk.unreadable
            }
    except SourceError:
        return None


def _digest(text: bytes) -> bytes:
    return blake2b(text, digest_size=12).digest()
