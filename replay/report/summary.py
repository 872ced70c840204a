"""The counts of a run, which add up, and the one object that tells them."""

from __future__ import annotations

import shlex
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from replay.hackle import KEY_VARIABLE
from replay.records import Outcome
from replay.report.folder import DEFAULT_RUNS, LEDGER_FILE, RunFolder, read_record_or_none, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REASONS_MAX: Final = 1_000  # different reasons told one by one; the ledger knows all

_WAYS_ON: Final = {
    "auth": f"Set {KEY_VARIABLE} to a key that is accepted, then continue",
    "storage": "Make room, then continue",
    "outage": "Continue when the destination is back",
    "destination": "Continue when the destination takes events",
}
_UNREAD: Final = ("row-unreadable:", "row-fields:")  # their rows are in no failed file

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


class SummaryFile:
    """A run's `summary.json`, which more than one thread writes.

    A final summary is never overwritten by a running one that was late.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._is_final = False

    def write(self, summary: Summary) -> None:
        """Replace the file, unless a final summary is there and this one is not. Raises StorageError."""
        is_final = summary.state != "running"
        with self._lock:
            if self._is_final and not is_final:
                return
            self._is_final = is_final
            write_whole(self._path, summary.as_json() + b"\n")


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


def typed(run: str, folder: str) -> str:
    """What to type for a run: its id, and its runs folder where that is not the usual one."""
    if folder in ("", f"{DEFAULT_RUNS}/{run}"):
        return run
    return f"{run} --runs {shlex.quote(str(PurePath(folder).parent))}"


def typed_resend(run: str, folder: str) -> str:
    """What to type for a run whose rows are sent again: also its ledger, where that is not the usual one."""
    record = read_record_or_none(RunFolder(Path(folder))) or {}
    usual = str(Path(folder).resolve().parent / LEDGER_FILE)
    ledger = record.get("ledger", usual)
    return typed(run, folder) + ("" if ledger == usual else f" --ledger {shlex.quote(ledger)}")


def typed_runs(runs: Path) -> str:
    """The command that lists the runs of a runs folder."""
    return "replay runs" if runs == Path(DEFAULT_RUNS) else f"replay runs --runs {shlex.quote(str(runs))}"


def way_on(stopped_by: str | None) -> str:
    """What comes before `replay resume` after a stop."""
    return _WAYS_ON.get(stopped_by or "", "Continue where it stopped")


def resent_rows(rows: Mapping[str, int], reasons: Sequence[Mapping[str, Any]]) -> int:
    """How many rows `resend` takes by itself: failed ones, apart from those that could not be read."""
    unread: int = sum(reason["rows"] for reason in reasons if str(reason["reason"]).startswith(_UNREAD))
    return rows["rejected"] + rows["exhausted"] + rows["invalid"] - unread


def shown(path: Path) -> str:
    """A path as it opens from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
