"""What is refused before it is sent, because the ledger knows better; and what to do instead."""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import SourceError, UsageError
from replay.ledger import entries_of, has_any_arrived, has_arrived, last_mapping, mappings_delivered
from replay.pipeline.identity import is_still, of_part, part_of
from replay.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from collections.abc import Mapping as Dict

    from replay.ledger import Reading, Store
    from replay.mapping import Mapping
    from replay.pipeline.choosing import Known
    from replay.pipeline.identity import Identity
    from replay.pipeline.plan import SourcePlan
    from replay.pipeline.stages import Job
    from replay.pipeline.starts import RowStarts
    from replay.settings import ReadSettings
    from replay.source import Source


LAYOUT_OPTIONS: Final = ("columns", "quotechar", "delimiter", "format", "encoding")
"""Options that may change where rows begin."""
_BODY: Final = "body:"  # begins a digest of what makes a body; an earlier version took the whole document


def mapping_digest(mapping: Mapping | None) -> str:
    """What tells apart mappings that make other bodies; without one, rows map themselves."""
    return _BODY + _digest({} if mapping is None else mapping.body_document())


def is_last_mapping(store: Store, copy: int, mapping: Mapping | None) -> bool:
    """Whether a mapping makes the bodies that the one last accepted for a copy makes.

    One that an earlier version recorded is compared as that version did: by its whole document, with
    each that rows were delivered with.
    """
    last = last_mapping(store, copy)
    if last is None or last.startswith(_BODY):
        return last in (None, mapping_digest(mapping))
    delivered = mappings_delivered(store, copy)
    return not delivered or whole_digest(mapping) in delivered


def whole_digest(mapping: Mapping | None) -> str:
    """What told mappings apart in format 1 of the ledger: all that they say."""
    return _digest(None if mapping is None else mapping.document())


def _digest(document: dict[str, Any] | None) -> str:
    return blake2b(msgspec.json.encode(document, order="sorted"), digest_size=16).hexdigest()


def refuse_other_bytes(source: Source, job: Job, index: int, identity: Identity) -> None:
    """Refuse to go on with a source that is no longer what it was when its run began."""
    if job.digests and not is_still(source, identity.fingerprint, job.digests[index]):
        raise SourceError(
            f"{source.name} changed since the run began, and its rows cannot be recognized any more. "
            "Put the old file back to resume; to send what is new, `replay send` the file."
        )


def refuse_other_reading(
    name: str, read: ReadSettings, starts: RowStarts, readings: Dict[Reading, str]
) -> None:
    """Refuse to number rows of a source otherwise than a run did of which rows arrived.

    `readings`: how its bytes were read, and the run that did.
    """
    for reading, run in readings.items():
        if starts.digests.get(reading.rows) != reading.lines:
            typed = [f"--{option}" for option in LAYOUT_OPTIONS if getattr(read, option) is not None]
            way_out = (
                f"Leave out or correct {' and '.join(typed)}" if typed else "Add the options it was read with"
            )
            raise UsageError(
                f"{name}: rows of it were sent by run {run}, which read it in another way: its rows begin on "
                f"other lines now, and would be taken for one another. {way_out}; run.toml of {run} has them."
            )


def refuse_changed(name: str, job: Job, identity: Identity, known: Known) -> None:
    """Refuse a source that is a delivered one changed, or a delivered one with another mapping.

    Raises UsageError. A resend is the user's word on single rows and is not asked, nor is a run that
    goes on: it was asked when it began.
    """
    resolved = identity.resolved
    if known.store is None or known.target is None or known.again or job.selection or job.digests:
        return
    if has_any_arrived(known.store, known.target, resolved.changed_from):
        raise UsageError(
            f"{name}: rows of a file that begins like this one were delivered, but this one is neither "
            "that file nor that file with rows added: sending it would send rows twice. To correct rows "
            "that failed, fix the failed file of their run and `replay resend` it; put new rows into a "
            "file of their own."
        )
    if resolved.id is None:
        return
    if not known.new_mapping and comes_with_other_mapping(job, identity, known):
        raise UsageError(
            f"{name}: rows of it were sent with another mapping. Use that one to send the rest, or add "
            "--new-mapping to send the rest with this one: rows that were delivered are not sent again."
        )


def comes_with_other_mapping(job: Job, identity: Identity, known: Known) -> bool:
    """Whether rows of a source arrived that were made by another mapping."""
    copy = known.copy(identity.resolved.id)
    if known.store is None or copy is None or known.again:
        return False
    return has_arrived(known.store, copy) and not is_last_mapping(known.store, copy, job.mapping)


def refuse_beginnings(sources: Sequence[SourcePlan]) -> None:
    """Refuse two sources of one command of which one begins with the other: rows would be sent twice.

    Each source is read once or twice more at most, however many begin with the same row.
    """
    for group in _alike(sources, lambda source: source.uid):
        _refuse_forked(group)
    for group in _alike(sources, lambda source: source.opening):
        _refuse_beginnings_among(group)


def _alike(sources: Sequence[SourcePlan], key: Callable[[SourcePlan], str]) -> Iterator[list[SourcePlan]]:
    """Sources of one part that share a key, where there are several, the shortest first."""
    groups: dict[tuple[str, str], list[SourcePlan]] = {}
    for source in sources:
        groups.setdefault((part_of(source.read), key(source)), []).append(source)
    for group in groups.values():
        if len(group) > 1:
            yield sorted(group, key=lambda source: (source.rows, source.fingerprint.length))


def _refuse_forked(group: Sequence[SourcePlan]) -> None:
    """Refuse sources that all continue one that was delivered, but not one another."""
    whole = (source for source in group if source.rows and not source.resolved.is_cut)
    for shorter, longer in pairwise(sorted(whole, key=lambda source: source.fingerprint.length)):
        if shorter.fingerprint.digest != longer.fingerprint.digest and not _begins_with(longer, shorter):
            raise UsageError(
                f"{shorter.source.name} and {longer.source.name} both begin with a file that was sent "
                "before, and go on differently: which rows are new is unknown. Send them one after the other."
            )


def _refuse_beginnings_among(group: Sequence[SourcePlan]) -> None:
    """Refuse, among sources with one opening, those that begin with all rows or bytes of a shorter one."""
    by_bytes: dict[tuple[int, str], SourcePlan] = {}
    by_rows: dict[bytes, SourcePlan] = {}
    for longer in group:
        found = [by_rows[entry] for entry in _entries(longer) if entry in by_rows]
        starts = _starts(longer, {length for length, _ in by_bytes})
        found += [by_bytes[start] for start in starts if start in by_bytes]
        for other in found:
            if other.uid != longer.uid:
                raise UsageError(
                    f"{longer.source.name} begins with all of {other.source.name}: its rows would be sent "
                    f"twice. Name {longer.source.name} alone."
                )
        if longer.rows:
            by_bytes.update(dict.fromkeys(longer.content.beginnings, longer))
        first = longer.content.first
        if first is not None and first.are_all and first.entries:
            by_rows[_entries(longer)[-1]] = longer


def _entries(source: SourcePlan) -> list[bytes]:
    """The entries of the first rows of a source; each names all rows up to its own."""
    return [] if source.content.first is None else entries_of(source.content.first.entries)


def _begins_with(longer: SourcePlan, shorter: SourcePlan) -> bool:
    """Whether the shorter one, its last line ended if need be, is how the longer one begins."""
    beginnings = shorter.content.beginnings
    starts = set(_starts(longer, {length for length, _ in beginnings}))
    return any(beginning in starts for beginning in beginnings)


def _starts(source: SourcePlan, lengths: Collection[int]) -> list[tuple[int, str]]:
    """The beginnings of a source with these lengths, as far as it has them."""
    wanted = [length for length in lengths if length <= source.fingerprint.length]
    if not wanted:
        return []
    marks, part = fingerprint_of(source.source, source.read, wanted).marks, part_of(source.read)
    return [(length, of_part(marks[length], part)) for length in wanted if length in marks]
