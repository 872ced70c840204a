"""Which content, and which part of it, a source holds: found from its bytes, before its rows are planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from replay.ledger import (
    KEPT_ROWS,
    SHARED_ROWS,
    Content,
    FirstRows,
    Reading,
    Resolved,
    beginnings,
    entry,
    has_arrived_at,
    knows_old_contents,
    resolve,
)
from replay.source import bytes_of_parquet, fingerprint_of, open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.ledger import Store
    from replay.pipeline.starts import RowStarts
    from replay.records import Chunk
    from replay.settings import ReadSettings
    from replay.source import Fingerprint, Reader, Source


class Beginning:
    """The header and first rows of a source, whatever its name or compression: fed chunk by chunk.

    `opening`: a digest of the header and the first row; `head`: of the header and SHARED_ROWS rows.
    """

    def __init__(self, reader: Reader, part: str) -> None:
        self._digest = blake2b("\x1f".join(reader.header).encode(), digest_size=16)
        self._of_part = self._digest.copy()
        self._of_part.update(part.encode())
        self._opening: str | None = None
        self._heads = [self._digest.hexdigest()]
        self._entries: list[bytes] = []
        self.has_more = False
        """Whether there are more rows than are kept."""

    @property
    def head(self) -> str:
        """Of as many rows as there were."""
        return self._heads[-1]

    @property
    def opening(self) -> str:
        """Of the header alone where there is no row."""
        return self._opening or self.head

    @property
    def first(self) -> FirstRows:
        """What the ledger keeps of the first rows."""
        return FirstRows(b"".join(self._entries), not self.has_more, tuple(self._heads))

    def add(self, chunk: Chunk) -> None:
        """Take in the rows that are still wanted."""
        missing = KEPT_ROWS - len(self._entries)
        self.has_more = self.has_more or len(chunk) > missing
        for text, row in zip(_texts(chunk, missing), chunk.rows.tolist(), strict=False):
            self._add(b"\x1e" + text, row)

    def _add(self, text: bytes, row: int) -> None:
        self._of_part.update(text)
        self._entries.append(entry(self._of_part.digest(), row))
        if len(self._heads) <= SHARED_ROWS:
            self._digest.update(text)
            self._heads.append(self._digest.hexdigest())
        self._opening = self._opening or self.head


def _texts(chunk: Chunk, most: int) -> list[bytes]:
    """The first rows of a chunk."""
    if chunk.raw is not None:
        return list(chunk.raw[:most])
    rows = chunk.head(most).to_numpy(dtype=object).tolist() if most else []
    return ["\x1f".join(cells).encode() for cells in rows]


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a source before its rows are planned; `resolved`: what the ledger knows it as.

    `older`: length and digest that format 1 of the ledger knows it by, where those are others.
    """

    fingerprint: Fingerprint
    resolved: Resolved
    older: tuple[int, str] | None = None


def part_of(read: ReadSettings) -> str:
    """The part of a source's content that is read: which array of records; "" for all of it."""
    return msgspec.json.encode({"records": read.records_path}).decode() if read.records is not None else ""


def of_part(digest: str, part: str) -> str:
    """The digest of a part of what has this digest."""
    return blake2b(f"{digest} {part}".encode(), digest_size=16).hexdigest() if part else digest


def identify(
    source: Source, read: ReadSettings, store: Store | None, target: int | None, known_lengths: Sequence[int]
) -> Identity:
    """Look at all bytes of a source, and at its first rows where the ledger knows others.

    `known_lengths`: what `ledger.lengths` gives, asked once for all sources of a plan.
    """
    fingerprint = fingerprint_of(source, read, known_lengths)
    older = bytes_of_parquet(source) if store is not None and knows_old_contents(store) else None
    content = content_of(fingerprint, part_of(read), older=older)
    if store is None or not known_lengths:
        return Identity(fingerprint, Resolved(None, content.uid), older)
    resolved = resolve(store, content, target)
    if resolved.id is None or not has_arrived_at(store, target, resolved.id):
        resolved = resolve(store, replace(content, first=_first_rows_of(source, read)), target)
    return Identity(fingerprint, resolved, older)


def is_still(source: Source, fingerprint: Fingerprint, digest: str) -> bool:
    """Whether a source holds what a run's record says; one by an older version has a Parquet file's bytes."""
    if fingerprint.digest == digest:
        return True
    older = bytes_of_parquet(source)
    return older is not None and older[1] == digest


def content_of(
    fingerprint: Fingerprint,
    part: str = "",
    head: str = "",
    *,
    torn: bool = False,
    older: tuple[int, str] | None = None,
) -> Content:
    """What the ledger keeps of a part of a source; `torn`: its last row is not whole.

    `older`: length and digest that format 1 knows the source by.
    """
    whole = (fingerprint.length, fingerprint.digest)
    is_open = fingerprint.whole_lines[0] < fingerprint.length
    begins = beginnings(whole, fingerprint.whole_lines, fingerprint.ended if is_open else (), torn=torn)
    content = Content(*whole, head, fingerprint.marks, begins)
    if older is not None:
        return replace(content, older=Content(*older, ""))
    return _part(content, part) if part else content


def _part(content: Content, part: str) -> Content:
    """A part of a content, which format 1 did not tell from another."""
    return Content(
        content.length,
        of_part(content.digest, part),
        content.head,
        {length: of_part(digest, part) for length, digest in content.marks.items()},
        tuple((length, of_part(digest, part)) for length, digest in content.beginnings),
        older=content,
    )


def content_read(reader: Reader, read: ReadSettings, identity: Identity, found: Found) -> Content:
    """What the ledger is told of a source that was read to its end.

    A torn JSON document may have whole records on its last line: they count too.
    """
    part, first = part_of(read), found.beginning.first
    content = content_of(
        identity.fingerprint, part, found.beginning.head, torn=found.is_torn, older=identity.older
    )
    reading = found.starts.reading
    content = replace(content, first=first, reading=reading and Reading(content.length, *reading))
    if not found.is_torn or reader.format != "json":
        return content
    if not reader.whole_bytes:
        return replace(content, beginnings=())
    marks = fingerprint_of(reader.source, read, [reader.whole_bytes]).marks
    whole = (reader.whole_bytes, of_part(marks[reader.whole_bytes], part))
    return replace(content, beginnings=(whole,))


@dataclass(frozen=True, slots=True)
class Found:
    """What was found while a source was read; `is_torn`: its last row is not whole."""

    beginning: Beginning
    starts: RowStarts
    is_torn: bool


def _first_rows_of(source: Source, read: ReadSettings) -> FirstRows:
    with open_source(source, read) as reader:
        beginning = Beginning(reader, part_of(read))
        for chunk in reader:
            beginning.add(chunk)
            if beginning.has_more:
                break
    return beginning.first
