"""Which content a source holds: told from its bytes, before its rows are planned."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from replay.ledger import Content, Resolved, beginnings, lengths, resolve
from replay.source import fingerprint_of, open_source

if TYPE_CHECKING:
    from replay.ledger import Store
    from replay.records import Chunk
    from replay.settings import ReadSettings
    from replay.source import Fingerprint, Reader, Source

HEAD_ROWS: Final = 20


class Beginning:
    """The header and first rows of a source, whatever its name or compression: fed chunk by chunk.

    `opening`: a digest of the header and the first row; `head`: of the header and HEAD_ROWS rows.
    """

    def __init__(self, reader: Reader) -> None:
        self._digest = blake2b("\x1f".join(reader.header).encode(), digest_size=16)
        self._opening: str | None = None
        self._missing = HEAD_ROWS

    @property
    def head(self) -> str:
        """Of as many rows as there were."""
        return self._digest.hexdigest()

    @property
    def opening(self) -> str:
        """Of the header alone where there is no row."""
        return self._opening or self.head

    @property
    def is_whole(self) -> bool:
        """Whether no more rows are wanted."""
        return not self._missing

    def add(self, chunk: Chunk) -> None:
        """Take in the rows that are still wanted."""
        for place in range(min(self._missing, len(chunk))):
            row = chunk.raw[place] if chunk.raw is not None else "\x1f".join(chunk.cells(place)).encode()
            self._digest.update(b"\x1e" + row)
            self._opening = self._opening or self._digest.hexdigest()
            self._missing -= 1


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of a source before its rows are planned; `resolved`: what the ledger knows it as."""

    fingerprint: Fingerprint
    resolved: Resolved


def identify(source: Source, read: ReadSettings, store: Store | None) -> Identity:
    """Look at all bytes of a source, and at its first rows where the ledger knows others."""
    known_lengths = [] if store is None else lengths(store)
    fingerprint = fingerprint_of(source, read, known_lengths)
    content = content_of(fingerprint, "", torn=False)
    if store is None or not known_lengths:
        return Identity(fingerprint, Resolved(None, content.uid))
    resolved = resolve(store, content)
    if resolved.id is None:
        resolved = resolve(store, replace(content, head=_head_of(source, read)))
    return Identity(fingerprint, resolved)


def content_of(fingerprint: Fingerprint, head: str, *, torn: bool) -> Content:
    """What the ledger is told of a source; `torn`: its last row is not whole."""
    whole = (fingerprint.length, fingerprint.digest)
    is_open = fingerprint.whole_lines[0] < fingerprint.length
    begins = beginnings(whole, fingerprint.whole_lines, fingerprint.ended if is_open else (), torn=torn)
    return Content(*whole, head, fingerprint.marks, begins)


def content_read(reader: Reader, read: ReadSettings, identity: Identity, head: str, *, torn: bool) -> Content:
    """What the ledger is told of a source that was read to its end.

    A torn JSON document may have whole records on its last line: they count too.
    """
    content = content_of(identity.fingerprint, head, torn=torn)
    if not torn or reader.format != "json":
        return content
    if not reader.whole_bytes:
        return replace(content, beginnings=())
    marks = fingerprint_of(reader.source, read, [reader.whole_bytes]).marks
    return replace(content, beginnings=((reader.whole_bytes, marks[reader.whole_bytes]),))


def _head_of(source: Source, read: ReadSettings) -> str:
    with open_source(source, read) as reader:
        beginning = Beginning(reader)
        for chunk in reader:
            beginning.add(chunk)
            if beginning.is_whole:
                break
    return beginning.head
