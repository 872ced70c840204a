"""The counts of a run, which add up, and the one object that tells them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.records import Outcome

if TYPE_CHECKING:
    from replay.report.folder import RunFolder

REASONS_MAX: Final = 1_000  # different reasons told one by one; the ledger knows all

Reason = tuple[str, int | None, str]
"""(outcome, status, reason)"""


@dataclass(slots=True)
class Counts:
    """What happened so far. `read` is what the plan counted; rows not reached are pending.

    `first_request` and `last_answer` are monotonic moments, in seconds.
    """

    read: int
    rows: Counter[str] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    possible_duplicates: int = 0
    first_request: float = 0.0
    last_answer: float = 0.0

    def add(self, outcome: Outcome, status: int | None, reason: str, rows: int = 1) -> None:
        """Count rows that ended; a delivered row needs no reason."""
        self.rows[outcome] += rows
        if outcome is not Outcome.DELIVERED:
            key = (outcome.value, status, reason)
            if key not in self.reasons and len(self.reasons) >= REASONS_MAX:
                key = (outcome.value, status, "other reasons")
            self.reasons[key] += rows

    def by_outcome(self) -> dict[str, int]:
        """Rows by outcome; the outcomes add up to `read`."""
        ended = {outcome.value: self.rows[outcome] for outcome in Outcome if outcome is not Outcome.PENDING}
        return {"read": self.read, **ended, "pending": self.read - sum(ended.values())}

    def reasons_listed(self) -> list[dict[str, Any]]:
        """Why rows did not arrive, the commonest first."""
        return [
            {"outcome": outcome, "status": status, "reason": reason, "rows": rows}
            for (outcome, status, reason), rows in self.reasons.most_common()
            if rows > 0
        ]


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run left its files, as paths that open from the working folder."""

    folder: str | None = None
    failed: tuple[str, ...] = ()
    unreadable: str | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run went: what `--json` prints and `summary.json` keeps."""

    run: str | None
    command: str
    state: str
    stopped_by: str | None
    rows: dict[str, int]
    requests: int
    retries: int
    possible_duplicates: int
    seconds: float
    rows_per_second: float
    reasons: list[dict[str, Any]]
    files: Files

    @property
    def exit_code(self) -> int:
        """0 delivered or skipped, 1 stopped, 3 some not delivered, 4 some ambiguous, 130 interrupted."""
        if self.state == "interrupted":
            return 130
        if self.state == "stopped":
            return 1
        if self.rows["ambiguous"]:
            return 4
        return 3 if any(self.rows[name] for name in ("rejected", "exhausted", "invalid")) else 0

    def as_dict(self) -> dict[str, Any]:
        """The summary as JSON's own types, members in the documented order."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    def as_json(self) -> bytes:
        """The summary as indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self.as_dict()), indent=2)


def read_summary(folder: RunFolder) -> dict[str, Any] | None:
    """A run's summary as it stands on disk; None where there is none that can be read."""
    try:
        document: dict[str, Any] = msgspec.json.decode(folder.summary.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None
    return document


def shown(path: Path) -> str:
    """A path as it opens from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
