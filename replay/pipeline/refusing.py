"""What is refused before it is sent, because the ledger knows better; and what to do instead."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec

from replay.errors import SourceError, UsageError
from replay.ledger import copy_of, has_delivered, mappings_delivered
from replay.source import fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.mapping import Mapping
    from replay.pipeline.choosing import Known
    from replay.pipeline.identity import Identity
    from replay.pipeline.plan import SourcePlan
    from replay.pipeline.stages import Job


def mapping_digest(mapping: Mapping | None) -> str:
    """What tells a mapping from another one."""
    document = None if mapping is None else mapping.document()
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
                "otherwise: sending it would send rows twice. Mend the failed file instead and "
                "`replay resend` it, or add --again to send all of its rows."
            )
        return
    copy = copy_of(known.store, known.target, resolved.id)
    delivered = set() if copy is None else mappings_delivered(known.store, copy)
    if delivered and mapping_digest(job.mapping) not in delivered:
        raise UsageError(
            f"{name}: rows of it were delivered with another mapping. Use that one to send the rest, or add "
            "--again to send all of its rows once more."
        )


def refuse_beginnings(sources: Sequence[SourcePlan]) -> None:
    """Refuse two sources of one command of which one begins with the other: rows would be sent twice.

    Each source is read once more at most, however many begin with the same row.
    """
    alike: dict[str, list[SourcePlan]] = {}
    for source in sources:
        alike.setdefault(source.opening, []).append(source)
    for group in alike.values():
        if len(group) > 1:
            _refuse_beginnings_among(group)


def _refuse_beginnings_among(group: Sequence[SourcePlan]) -> None:
    """The same for sources with one opening: each is compared with all shorter ones at once."""
    shorter: dict[tuple[int, str], SourcePlan] = {}
    for longer in sorted(group, key=lambda source: source.fingerprint.length):
        lengths = {length for length, _ in shorter if length <= longer.fingerprint.length}
        if lengths:
            marks = fingerprint_of(longer.source, longer.read, lengths).marks
            for beginning in marks.items():
                other = shorter.get(beginning)
                if other is not None and other.uid != longer.uid:
                    raise UsageError(
                        f"{longer.source.name} begins with all of {other.source.name}: its rows would be "
                        f"sent twice. Name {longer.source.name} alone."
                    )
        if longer.rows:
            shorter.update(dict.fromkeys(longer.content.beginnings, longer))
