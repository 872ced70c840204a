"""How the rows of a chunk end that are not sent: decided once, for the plan and for the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.pipeline.choosing import SKIPPED, WHERE, Fate
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from replay.pipeline.choosing import Chosen
    from replay.pipeline.stages import Judged
    from replay.records import Unreadable
    from replay.report import Counts
    from replay.settings import Severity


def not_sent(chosen: Chosen, severities: Dict[str, Severity]) -> dict[int, Result]:
    """How the rows end that could be read, and are neither sent nor skipped, by place, ascending."""
    results = {
        place: Result(Outcome.AMBIGUOUS, None, 0, f"left ambiguous by run {chosen.doubtful[place]}")
        for place in chosen.places(Fate.AMBIGUOUS_BEFORE)
    }
    invalid = chosen.places(Fate.INVALID)
    reasons = _reasons(chosen.judged, severities) if invalid else {}
    results |= {place: Result(Outcome.INVALID, None, 0, reasons[place]) for place in invalid}
    return dict(sorted(results.items()))


def unreadable_now(chosen: Chosen) -> list[tuple[Unreadable, Result]]:
    """The rows that could not be read and were not told of before, and how they end."""
    records = zip(chosen.judged.chunk.unreadable, chosen.unread.tolist(), strict=True)
    return [
        (record, Result(Outcome.INVALID, None, 0, f"{record.rule}: {record.reason}"))
        for record, fate in records
        if fate == Fate.INVALID
    ]


def count_skipped(counts: Counts, chosen: Chosen) -> None:
    """Count the rows of a chunk that are skipped on purpose; not those beyond the limit."""
    for fate, cause in SKIPPED.items():
        counts.skip(cause, chosen.count(fate))
    counts.skip(WHERE, chosen.judged.elsewhere)


def _reasons(judged: Judged, severities: Dict[str, Severity]) -> dict[int, str]:
    """Why each invalid row of a chunk is not sent."""
    reasons: dict[int, str] = {}
    for finding in judged.findings:
        if severities[finding.rule] != "error":
            continue
        words = f"{finding.rule}: {finding.message}"
        for place in finding.positions:
            reasons[place] = f"{reasons[place]}; {words}" if place in reasons else words
    return reasons
