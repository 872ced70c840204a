"""The verdict: what the product said, held against what the judge saw. No process, no file, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proof.bench import Seen, Told

OUTCOMES: Final = ("delivered", "rejected", "exhausted", "ambiguous", "invalid", "skipped", "pending")
MAYBE: Final = frozenset({"accepted", "unknown", "open"})


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run, or many, came to.

    `lost`: rows said to be delivered that no 2xx was given, and rows of which nothing is said; `twice`:
    rows sent again after an attempt that may have been accepted, where they should have been held;
    `unreported`: rows that may have been accepted, and are said not to be; `uncounted`: extra sends
    that may have been accepted and are missing in `possible_duplicates`; `bound`: as many rows may
    be ambiguous. `faults` says each thing that is wrong in words.
    """

    kills: int = 0
    rows: int = 0
    delivered: int = 0
    lost: int = 0
    twice: int = 0
    unreported: int = 0
    uncounted: int = 0
    ambiguous: int = 0
    bound: int = 0
    faults: tuple[str, ...] = field(default=())

    def __add__(self, other: Figures) -> Figures:
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Figures(**sums)


def judged(told: Told, seen: Seen, rows: int, kills: int = 0, concurrency: int = 16) -> Figures:
    """The figures of a run that came to its end under `hold`."""
    return _figures(told, seen, rows, kills, concurrency, twice=seen.twice, uncounted=0)


def judged_resent(told: Told, seen: Seen, rows: int, kills: int = 0, concurrency: int = 16) -> Figures:
    """The figures of a run under `resend`: what may have arrived twice has to be counted instead."""
    extra = sum(max(0, sum(word in MAYBE for word in seen.words(row)) - 1) for row in seen.attempts)
    after_refusal = [row for row in seen.attempts if "refused" in seen.words(row)[:-1]]
    uncounted = max(0, extra - int(told.summary["possible_duplicates"]))
    return _figures(told, seen, rows, kills, concurrency, twice=after_refusal, uncounted=uncounted)


def _figures(
    told: Told, seen: Seen, rows: int, kills: int, concurrency: int, *, twice: list[int], uncounted: int
) -> Figures:
    numbers = range(1, rows + 1)
    lost = [row for row in numbers if row not in told.failed and "accepted" not in seen.words(row)]
    unreported = [
        row
        for row, outcome in told.failed.items()
        if outcome != "ambiguous" and MAYBE.intersection(seen.words(row))
    ]
    unknown = sum(seen.words(row).count("unknown") for row in seen.attempts) + seen.unread
    bound = kills * concurrency + unknown
    ambiguous = told.rows["ambiguous"]
    faults = [
        *_listed("lost", lost),
        *_listed("twice", twice),
        *_listed("unreported", unreported),
        *([f"{uncounted} possible duplicates are not counted"] if uncounted else []),
        *([f"{ambiguous} ambiguous rows, where {bound} may be"] if ambiguous > bound else []),
        *_contradictions(told, seen, rows),
    ]
    return Figures(
        kills=kills,
        rows=rows,
        delivered=told.rows["delivered"],
        lost=len(lost) + told.rows["pending"],
        twice=len(twice),
        unreported=len(unreported),
        uncounted=uncounted,
        ambiguous=ambiguous,
        bound=bound,
        faults=tuple(faults),
    )


def _listed(name: str, rows: list[int]) -> list[str]:
    return [f"{name}: rows {sorted(set(rows))[:20]}"] if rows else []


def _contradictions(told: Told, seen: Seen, rows: int) -> list[str]:
    """Where the summary, the failed file, the exit code and the judge do not agree."""
    found = []
    counts = told.rows
    if counts["read"] != rows or rows != sum(counts[name] for name in OUTCOMES):
        found.append(f"the counts do not add up to {rows}: {counts}")
    listed = told.counted()
    for outcome in ("rejected", "exhausted", "ambiguous", "invalid"):
        if counts[outcome] != listed[outcome]:
            found.append(f"{counts[outcome]} rows {outcome}, and {listed[outcome]} in the failed file")
    rejected = {row for row, outcome in told.failed.items() if outcome == "rejected"}
    found += _listed("rejected and never refused", [r for r in rejected if "refused" not in seen.words(r)])
    refused = {row for row in seen.attempts if "refused" in seen.words(row)}
    kept_quiet = [row for row in refused if row not in told.failed]
    found += _listed("refused and not told", kept_quiet)
    if told.code != expected_code(counts):
        found.append(f"exit {told.code}, where {expected_code(counts)} is due")
    return found


def expected_code(counts: dict[str, int]) -> int:
    """The exit code of a finished run."""
    if counts["ambiguous"]:
        return 4
    return 3 if counts["rejected"] + counts["exhausted"] + counts["invalid"] else 0


def out_of_order(seen: Seen, users: int) -> list[int]:
    """Rows that were read before an earlier row of their user had been answered for the last time."""
    found = []
    ended: dict[int, float] = {}
    for row in sorted(seen.attempts):
        tries = seen.attempts[row]
        if tries[0][0] < ended.get(row % users, 0):
            found.append(row)
        last = max(float("inf") if end is None else end for _, end, _ in tries)
        ended[row % users] = max(ended.get(row % users, 0), last)
    return found
