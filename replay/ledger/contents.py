"""Telling contents apart: the same under another name, one that only grew, one that changed in the middle.

Each time a content is seen, the ledger keeps what it was (its length and digest) and what a file must
begin with to be it, grown (its *beginnings*). How far the rows of that sighting go is its *reach*.

    whose bytes are those of a sighting       the same content, an old version come back included
    that has lost its last line end           the same: with one appended it is a known one
    that begins with a beginning, of which    the content, grown
      the reach is the content's farthest
    all of whose rows are a content's first   the content, cut: its reach is 0, so that it never grows
    that begins with a nearer one             changed: its next rows are not those sent before
    whose first rows only are known           changed

A content without a row that can be read is compared with none but its own bytes, and none with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from replay.ledger.asking import has_any_arrived
from replay.ledger.heads import heads_like, remember_head, share_rows
from replay.ledger.schema import OLD_FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from replay.ledger.base import Store
    from replay.ledger.readings import Reading

Version = tuple[int, str]
"""(length, digest) of some first bytes"""

Beginning = tuple[int, int]
"""(length, content) of the first bytes that a content was once"""

_MARKS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows of a content.

    `entries`: see `heads`; `are_all`: it has no other rows that can be read. `old_heads`: the heads of the
    header alone and of 1 to SHARED_ROWS rows, as format 1 keeps one of them.
    """

    entries: bytes
    are_all: bool
    old_heads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """What is known of a source's content.

    `length` and `digest` of all its decompressed bytes; `marks`: digests of its beginnings, by
    length, of every length that `lengths` gives and it has; `head`: a digest of its header and first
    rows; `beginnings`: what a file must begin with to be this one grown, so chosen that nothing
    appended can change a row that was sent (see the function `beginnings`). `first`: its first rows, and
    what tells them from others; None where unknown. `reading`: how many rows it was read as, and
    on which lines. `older`: what format 1 calls the same content, where that is another name.
    """

    length: int
    digest: str
    head: str
    marks: Mapping[int, str] = field(default_factory=dict, repr=False)
    beginnings: tuple[Version, ...] = ()
    first: FirstRows | None = None
    reading: Reading | None = None
    older: Content | None = None

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
    beginning of it. `is_cut`: it has the first rows of that content, and ends before its end.
    """

    id: int | None
    uid: str
    changed_from: tuple[int, ...] = ()
    is_cut: bool = False


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


def lacks_part(store: Store, content: int) -> bool:
    """Whether a content was recorded by format 1, which did not say which part of it was read."""
    return bool(store.one("SELECT format FROM contents WHERE id = ?", content) == OLD_FORMAT)


def knows_old_contents(store: Store) -> bool:
    """Whether any content was recorded by format 1: those have the first ids."""
    return bool(store.one("SELECT format FROM contents ORDER BY id LIMIT 1") == OLD_FORMAT)


def resolve(store: Store, content: Content, target: int | None = None) -> Resolved:
    """Which known content this is: one of the same bytes, one that it continues, or one it is cut from.

    Contents of which rows arrived at `target` go first: a known one of which none did must not hide that
    this one shares its rows with another.
    """
    known = _seen(store, content)
    is_cut = known is not None and _was_cut(store, content)
    has_rows = content.first is not None and bool(content.first.entries)
    if known is None and has_rows:
        known = _continued(store, content)
    if not has_rows or (known is not None and has_arrived_at(store, target, known)):
        return Resolved(known, content.uid if known is None else _uid(store, known), is_cut=is_cut)
    return _resolve_by_rows(store, content, target, known, is_cut=is_cut)


def _resolve_by_rows(
    store: Store, content: Content, target: int | None, known: int | None, *, is_cut: bool
) -> Resolved:
    """The same of one that is new at a target: what it is cut from, or which ones share its first rows."""
    assert content.first is not None
    alike = heads_like(store, content.first.entries)
    alike.sort(key=lambda head: not has_arrived_at(store, target, head[0]))
    whole = next((one for one, entries in alike if entries.startswith(content.first.entries)), None)
    if whole is not None and content.first.are_all and (known is None or is_cut):
        return Resolved(whole, _uid(store, whole), is_cut=True)
    changed = tuple(one for one in _changed(store, content, alike) if one != known)
    return Resolved(known, content.uid if known is None else _uid(store, known), changed, is_cut=is_cut)


def has_arrived_at(store: Store, target: int | None, content: int) -> bool:
    """Whether any row of a content was delivered to a target, or is ambiguous there."""
    return target is not None and has_any_arrived(store, target, [content])


def cut_lengths(store: Store, content: int) -> set[int]:
    """The lengths of files that were found to be this content, cut."""
    found = store.ask("SELECT length FROM versions WHERE content = ? AND reach = 0", content)
    return {int(length) for (length,) in found}


def remember(store: Store, content: Content, resolved: Resolved) -> int:
    """Write down a content as it is now; returns its id. Within a transaction."""
    known = resolved.id if resolved.id is not None else of_uid(store, resolved.uid)
    if content.first is None or not content.first.entries:
        return known
    reach = 0 if resolved.is_cut else content.reach
    versions = {(content.length, content.digest): False} | dict.fromkeys(content.beginnings, True)
    store.tell_many(
        "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (length, digest) DO UPDATE"
        " SET grows = versions.grows OR excluded.grows, reach = greatest(versions.reach, excluded.reach)",
        [(length, digest, known, grows, reach, content.head) for (length, digest), grows in versions.items()],
    )
    remember_head(store, known, content.first.entries)
    return known


def of_uid(store: Store, uid: str) -> int:
    """The id of a content by its name, which a failed file carries; made where it is new."""
    store.tell("INSERT INTO contents (uid) VALUES (?) ON CONFLICT DO NOTHING", uid)
    return int(store.one("SELECT id FROM contents WHERE uid = ?", uid))


def _uid(store: Store, content: int) -> str:
    return str(store.one("SELECT uid FROM contents WHERE id = ?", content))


def _was_cut(store: Store, content: Content) -> bool:
    """Whether the content was seen with these bytes as one that is cut."""
    reach = store.one(
        "SELECT reach FROM versions WHERE length = ? AND digest = ?", content.length, content.digest
    )
    return bool(reach == 0)


def _seen(store: Store, content: Content) -> int | None:
    """The content that was seen with these bytes, or with these and a line end."""
    with_end = [version for version in content.beginnings if version[0] > content.length]
    for length, digest in [(content.length, content.digest), *with_end]:
        known = store.one("SELECT content FROM versions WHERE length = ? AND digest = ?", length, digest)
        if known is not None:
            return int(known)
    if content.older is None:
        return None
    known = _seen(store, content.older)
    return known if known is not None and lacks_part(store, known) else None


def _continued(store: Store, content: Content) -> int | None:
    """The content that these bytes continue from its farthest reach."""
    farthest = _begun_with(
        store, content, "AND reach = (SELECT max(reach) FROM versions WHERE content = here.content)"
    )
    if farthest:
        return max(farthest)[1]
    if content.older is None:
        return None
    known = _continued(store, replace(content.older, first=content.first))
    return known if known is not None and lacks_part(store, known) else None


def _header_alone(content: Content) -> str:
    """The head that format 1 kept of contents without a row: none is such a one grown."""
    return content.first.old_heads[0] if content.first is not None and content.first.old_heads else ""


def _changed(store: Store, content: Content, alike: list[tuple[int, bytes]]) -> tuple[int, ...]:
    """The contents that this one shares its first rows with, or begins with in part."""
    assert content.first is not None
    shared = {known for known, entries in alike if share_rows(content.first.entries, entries)}
    begun = {known for _, known in _begun_with(store, content)}
    return tuple(sorted(shared | begun | _old_with_head(store, content)))


def _begun_with(store: Store, content: Content, condition: str = "") -> list[Beginning]:
    """The beginnings of this one that are contents as they were once.

    A file may be marked at as many lengths as the ledger knows, so many are asked for at once.
    """
    marks, header = list(content.marks.items()), _header_alone(content)
    found: list[Beginning] = []
    for start in range(0, len(marks), _MARKS_AT_ONCE):
        some = marks[start : start + _MARKS_AT_ONCE]
        pairs = ", ".join(["(?, ?)"] * len(some))
        found += store.ask(
            "SELECT length, content FROM versions AS here"  # noqa: S608 - the values are bound
            f" WHERE (length, digest) IN (VALUES {pairs}) AND grows AND head <> ? {condition}",
            *(value for mark in some for value in mark),
            header,
        )
    return [(int(length), int(known)) for length, known in found]


def _old_with_head(store: Store, content: Content) -> set[int]:
    """Contents of format 1 that share their first rows: it kept a digest of 20 of them, or of all."""
    heads = content.first.old_heads[1:] if content.first is not None else ()
    if not heads or not knows_old_contents(store):
        return set()
    found = store.ask(
        "SELECT DISTINCT content, head FROM versions AS here JOIN contents ON contents.id = content"
        " WHERE format = ? AND reach = (SELECT max(reach) FROM versions WHERE content = here.content)",
        OLD_FORMAT,
    )
    return {int(known) for known, head in found if head in heads}
