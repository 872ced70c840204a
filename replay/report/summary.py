"""The counts of a run, which add up, and the one object that tells them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from replay.records import Outcome
from replay.report.folder import DEFAULT_RUNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.report.folder import RunFolder

REASONS_MAX: Final = 1_000  # different reasons told one by one; the ledger knows all

Reason = tuple[str, int | None, str]
"""(outcome, status, reason)"""


class Totals(Protocol):
    """What a ledger knows of a run: rows by outcome and by reason, and how many requests it took."""

    rows: Counter[str]
    reasons: Counter[Reason]
    requests: int
    retries: int
    duplicates: int


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

    def skip(self, cause: str, rows: int) -> None:
        """Count rows that are left out on purpose."""
        if rows:
            self.add(Outcome.SKIPPED, None, cause, rows)

    def begin_with(self, totals: Totals) -> None:
        """Count what earlier legs of the run have written."""
        self.rows[Outcome.DELIVERED] += totals.rows[Outcome.DELIVERED]
        for (outcome, status, reason), rows in totals.reasons.items():
            self.add(Outcome(outcome), status, reason, rows)
        self.requests, self.retries = totals.requests, totals.retries
        self.possible_duplicates = totals.duplicates

    def tried(self) -> int:
        """Rows that were sent and ended."""
        return sum(self.rows[name] for name in ("delivered", "rejected", "exhausted", "ambiguous"))

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
        return 1 if self.state == "stopped" else self.rows_exit_code

    @property
    def rows_exit_code(self) -> int:
        """What the rows alone say: 0, 3 some not delivered, 4 some ambiguous."""
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
    """A run's summary as it stands on disk, its paths as they open from here; None if it cannot be read."""
    try:
        document: dict[str, Any] = msgspec.json.decode(folder.summary.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None
    files = document.get("files") or {}
    document["files"] = files | {
        "folder": shown(folder.path),
        "failed": [shown(folder.failed / PurePath(path).name) for path in files.get("failed", ())],
        "unreadable": shown(folder.unreadable) if files.get("unreadable") else None,
        "report": shown(folder.report) if files.get("report") else None,
    }
    return document


def ended_summary(folder: RunFolder) -> Summary | None:
    """The summary of a run that came to its end; None where there is something to go on with."""
    document = read_summary(folder)
    if document is None or document.get("state") != "finished":
        return None
    try:
        return msgspec.convert(document, Summary)
    except msgspec.ValidationError:
        return None  # somebody wrote in it; the ledger knows better


def unreadable_rows(summary: Mapping[str, Any]) -> int:
    """How many rows of a run could not be read: they are in a file of their own."""
    reasons = [reason for reason in summary.get("reasons") or () if reason["outcome"] == "invalid"]
    return sum(int(reason["rows"]) for reason in reasons if reason["reason"].startswith(_UNREADABLE))


def failed_rows(summary: Mapping[str, Any]) -> int:
    """How many rows of a run are in its failed files, and taken by a resend: not the ambiguous ones."""
    rows = sum(int(summary["rows"][name]) for name in ("rejected", "exhausted", "invalid"))
    return rows - unreadable_rows(summary)


_UNREADABLE: Final = ("row-unreadable:", "row-fields:")


def typed(run: str, folder: str) -> str:
    """What to type for a run: its id, or its folder where that is not the usual one."""
    return run if folder == f"{DEFAULT_RUNS}/{run}" else folder


def shown(path: Path) -> str:
    """A path as it opens from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
