"""What is refused before it is sent, because the ledger knows better; and what to do instead."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import SourceError, UsageError
from replay.ledger import copy_of, has_arrived, has_delivered, last_mapping, mappings_delivered
from replay.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.ledger import Store
    from replay.mapping import Mapping
    from replay.pipeline.choosing import Known
    from replay.pipeline.identity import Identity
    from replay.pipeline.plan import SourcePlan
    from replay.pipeline.stages import Job


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
    document = None if mapping is None else mapping.document()
    delivered = mappings_delivered(store, copy)
    return not delivered or _digest(document) in delivered


def _digest(document: dict[str, Any] | None) -> str:
    return blake2b(msgspec.json.encode(document, order="sorted"), digest_size=16).hexdigest()


def refuse_other_bytes(name: str, job: Job, index: int, identity: Identity) -> None:
    """Refuse to go on with a source that is no longer what it was when its run began."""
    if job.digests and job.digests[index] != identity.fingerprint.digest:
        raise SourceError(
            f"{name} changed since the run began, and its rows cannot be told apart any more. "
            "Put the old file back to resume; to send what is new, `replay send` the file."
        )


def refuse_changed(name: str, job: Job, identity: Identity, known: Known) -> None:
    """Refuse a source that is a delivered one changed, or a delivered one with another mapping.

    Raises UsageError. A resend is the user's word on single rows and is not asked, nor is a run that
    goes on: it was asked when it began.
    """
    resolved = identity.resolved
    if known.store is None or known.target is None or known.again or job.selection or job.digests:
        return
    if resolved.id is None:
        if has_delivered(known.store, known.target, resolved.changed_from):
            raise UsageError(
                f"{name}: rows of a file that begins like this one were delivered, but this one goes on "
                "otherwise: sending it would send rows twice. To correct rows that failed, fix the failed "
                "file of their run and `replay resend` it; put new rows into a file of their own."
            )
        return
    if not known.new_mapping and comes_with_other_mapping(job, identity, known):
        raise UsageError(
            f"{name}: rows of it were sent with another mapping. Use that one to send the rest, or add "
            "--new-mapping to send the rest with this one: rows that were delivered are not sent again."
        )


def comes_with_other_mapping(job: Job, identity: Identity, known: Known) -> bool:
    """Whether rows of a source arrived that were made by another mapping."""
    content = identity.resolved.id
    if known.store is None or known.target is None or known.again or content is None:
        return False
    copy = copy_of(known.store, known.target, content)
    return (
        copy is not None
        and has_arrived(known.store, copy)
        and not is_last_mapping(known.store, copy, job.mapping)
    )


def refuse_beginnings(planned: SourcePlan, earlier: Sequence[SourcePlan]) -> None:
    """Refuse two sources of one command of which one begins with the other: rows would be sent twice."""
    for other in earlier:
        if other.uid == planned.uid or other.opening != planned.opening:
            continue
        shorter, longer = sorted((other, planned), key=lambda source: source.fingerprint.length)
        if shorter.rows and _begins_with(longer, shorter):
            raise UsageError(
                f"{longer.source.name} begins with all of {shorter.source.name}: its rows would be sent "
                f"twice. Name {longer.source.name} alone."
            )


def _begins_with(longer: SourcePlan, shorter: SourcePlan) -> bool:
    """Whether the shorter one, its last line ended if need be, is how the longer one begins."""
    beginnings = shorter.content.beginnings
    marks = fingerprint_of(longer.source, longer.read, [length for length, _ in beginnings]).marks
    return any(marks.get(length) == digest for length, digest in beginnings)
