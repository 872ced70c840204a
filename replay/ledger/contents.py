"""Telling contents apart: the same under another name, one that only grew, one that changed in the middle.

Each time a content is seen, the ledger keeps what it was (its length and digest) and what a file must
begin with to be it, grown (its *beginnings*). How far the rows of that sighting go is its *reach*.

    whose bytes are those of a sighting       the same content, an old version come back included
    that has lost its last line end           the same: with one appended it is a known one
    that begins with a beginning, of which    the content, grown
      the reach is the content's farthest
    that begins with a nearer one             changed: its next rows are not those sent before
    whose first rows only are known           changed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from replay.ledger.base import Store

Version = tuple[int, str]
"""(length, digest) of some first bytes"""


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a source's content.

    `length` and `digest` of all its decompressed bytes; `marks`: digests of its beginnings, by
    length, of every length that `lengths` gives and it has; `head`: a digest of its header and first
    rows; `beginnings`: what a file must begin with to be this one grown, so chosen that nothing
    appended can change a row that was sent (see the function `beginnings`).
    """

    length: int
    digest: str
    head: str
    marks: Mapping[int, str] = field(default_factory=dict, repr=False)
    beginnings: tuple[Version, ...] = ()

    @property
    def uid(self) -> str:
        """The name that a content gets when it is first seen."""
        return self.digest[:12]

    @property
    def reach(self) -> int:
        """How far its rows go, in bytes: what may be appended comes after it."""
        return max((length for length, _ in self.beginnings), default=self.length)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A content as the ledger knows it: `id` None where it is new; `uid` is its name for good.

    `changed_from`: known contents that begin with the same rows, but are neither this one nor a
    beginning of it.
    """

    id: int | None
    uid: str
    changed_from: tuple[int, ...] = ()


def beginnings(
    whole: Version, whole_lines: Version, ended: Sequence[str] = (), *, torn: bool = False
) -> tuple[Version, ...]:
    r"""What a file must begin with to be this one, grown.

    `whole_lines`: up to the last line end. `ended`: where the last line has no end, the digests of all
    bytes with `\n`, with `\r` and (optional, so that a file that loses a `\r\n` is known again) with
    `\r\n` appended. `torn`: the last record cannot be read (the file is damaged, or its last line was
    still being written): it is never sent, so it may come otherwise, and only whole lines count.
    """
    if torn:
        return (whole_lines,)
    if not ended:
        return (whole,)
    return tuple((whole[0] + added, digest) for added, digest in zip((1, 1, 2), ended, strict=False))


def lengths(store: Store) -> list[int]:
    """The lengths at which a new content must be marked to be compared with those that are known."""
    return [int(length) for (length,) in store.ask("SELECT DISTINCT length FROM versions WHERE grows")]


def resolve(store: Store, content: Content) -> Resolved:
    """Which known content this is: one of the same bytes, or the one that it continues."""
    known = _seen(store, content)
    if known is None:
        known = _continued(store, content.marks)
    if known is None:
        return Resolved(None, content.uid, _changed(store, content))
    return Resolved(known, str(store.one("SELECT uid FROM contents WHERE id = ?", known)))


def remember(store: Store, content: Content, resolved: Resolved) -> int:
    """Write down a content as it is now; returns its id. Within a transaction."""
    known = resolved.id if resolved.id is not None else of_uid(store, resolved.uid)
    versions = {(content.length, content.digest): False} | dict.fromkeys(content.beginnings, True)
    store.tell_many(
        "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (length, digest) DO UPDATE"
        " SET grows = versions.grows OR excluded.grows, reach = greatest(versions.reach, excluded.reach)",
        [
            (length, digest, known, grows, content.reach, content.head)
            for (length, digest), grows in versions.items()
        ],
    )
    return known


def of_uid(store: Store, uid: str) -> int:
    """The id of a content by its name, which a failed file carries; made where it is new."""
    store.tell("INSERT INTO contents (uid) VALUES (?) ON CONFLICT DO NOTHING", uid)
    return int(store.one("SELECT id FROM contents WHERE uid = ?", uid))


def _seen(store: Store, content: Content) -> int | None:
    """The content that was seen with these bytes, or with these and a line end."""
    with_end = [version for version in content.beginnings if version[0] > content.length]
    for length, digest in [(content.length, content.digest), *with_end]:
        known = store.one("SELECT content FROM versions WHERE length = ? AND digest = ?", length, digest)
        if known is not None:
            return int(known)
    return None


def _continued(store: Store, marks: Mapping[int, str]) -> int | None:
    """The content that these bytes continue from its farthest reach."""
    for length in sorted(marks, reverse=True):
        known = store.one(
            "SELECT content FROM versions AS here WHERE length = ? AND digest = ? AND grows"
            " AND reach = (SELECT max(reach) FROM versions WHERE content = here.content)",
            length,
            marks[length],
        )
        if known is not None:
            return int(known)
    return None


def _changed(store: Store, content: Content) -> tuple[int, ...]:
    found = store.ask("SELECT DISTINCT content FROM versions WHERE head = ? ORDER BY content", content.head)
    return tuple(int(known) for (known,) in found)
