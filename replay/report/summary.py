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
from replay.reasons import LISTED_MAX, UNREADABLE, Reasons
from replay.records import Outcome, Result
from replay.report.folder import DEFAULT_RUNS, LEDGER_FILE, RunFolder, read_record_or_none, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_WAYS_ON: Final = {
    "auth": f"Set {KEY_VARIABLE} to a key that is accepted, then continue",
    "storage": "Make room, then continue",
    "outage": "Continue when the destination is back",
    "destination": "Continue when the destination takes events",
}


class Totals(Protocol):
    """What a ledger knows of a run: rows by outcome and by reason, and how many requests it took."""

    rows: Counter[str]
    reasons: Reasons
    requests: int
    retries: int
    duplicates: int


@dataclass(slots=True)
class Counts:
    """What happened so far. `read` is what the plan counted; rows not reached are pending.

    `odd`: status and words of the first 2xx whose body is a page or reports an error, of `odd_rows` that
    count as delivered all the same.

    `first_request` and `last_answer` are monotonic moments, in seconds.
    """

    read: int
    rows: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)
    requests: int = 0
    retries: int = 0
    possible_duplicates: int = 0
    odd: tuple[int | None, str] | None = None
    odd_rows: int = 0
    first_request: float = 0.0
    last_answer: float = 0.0

    def add(self, result: Result, rows: int = 1) -> None:
        """Count rows that ended so; a delivered row needs no reason."""
        self.rows[result.outcome] += rows
        if result.outcome is not Outcome.DELIVERED:
            self.reasons.add(result.outcome.value, result.status, result.reason, result.group, rows)
        elif result.reports_failure:
            self.odd = self.odd or (result.status, result.reason)
            self.odd_rows += rows

    def skip(self, cause: str, rows: int) -> None:
        """Count rows that are left out on purpose."""
        if rows:
            self.rows[Outcome.SKIPPED] += rows
            self.reasons.skip(cause, rows)

    def begin_with(self, totals: Totals) -> None:
        """Count what earlier legs of the run have written."""
        for outcome, rows in totals.rows.items():
            self.rows[outcome] += rows
        self.reasons.merge(totals.reasons)
        self.requests, self.retries = totals.requests, totals.retries
        self.possible_duplicates = totals.duplicates

    def go_on_with(self, summary: dict[str, Any] | None) -> None:
        """Count what only an earlier summary of the run knows: the ledger keeps no word of delivered rows."""
        for one in (summary or {}).get("reasons") or ():
            if one["outcome"] == Outcome.DELIVERED:
                self.odd, self.odd_rows = (one["status"], one["reason"]), one["rows"]

    def tried(self) -> int:
        """Rows that were sent and ended."""
        return sum(self.rows[name] for name in ("delivered", "rejected", "exhausted", "ambiguous"))

    def by_outcome(self) -> dict[str, int]:
        """Rows by outcome; the outcomes add up to `read`."""
        ended = {outcome.value: self.rows[outcome] for outcome in Outcome if outcome is not Outcome.PENDING}
        return {"read": self.read, **ended, "pending": self.read - sum(ended.values())}

    def reasons_listed(self) -> list[dict[str, Any]]:
        """Why rows did not arrive, the commonest first; then what delivered rows were answered instead."""
        if self.odd is None:
            return self.reasons.listed()
        status, reason = self.odd
        odd = {"outcome": "delivered", "status": status, "reason": reason, "rows": self.odd_rows}
        return [*self.reasons.listed(LISTED_MAX - 1), odd]


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


def odd_words(reason: dict[str, Any]) -> str:
    """What to say of a reason of delivered rows: their answers were no plain acceptance."""
    return (
        f"{reason['rows']:,} delivered rows were answered with a page, or with a body that reports an error. "
        f"They count as delivered by their status; see whether they arrived. The first: {reason['reason']}"
    )


def unreadable_rows(summary: Mapping[str, Any]) -> int:
    """How many rows of a run could not be read: they are in a file of their own."""
    reasons = [reason for reason in summary.get("reasons") or () if reason["outcome"] == "invalid"]
    return sum(int(reason["rows"]) for reason in reasons if reason["reason"].startswith(UNREADABLE))


def failed_rows(summary: Mapping[str, Any]) -> int:
    """How many rows of a run are in its failed files, and taken by a resend: not the ambiguous ones."""
    rows = summary["rows"]
    return sum(int(rows[name]) for name in ("rejected", "exhausted", "invalid")) - unreadable_rows(summary)


def typed(run: str, folder: str) -> str:
    """What to type for a run: its id, and its runs folder where that is not the usual one."""
    if folder in ("", f"{DEFAULT_RUNS}/{run}"):
        return run
    return f"{run} --runs {shlex.quote(str(PurePath(folder).parent))}"


def typed_resend(run: str, folder: str) -> str:
    """What to type for a run whose rows are sent again: also its ledger, where that is not the usual one."""
    return typed(run, folder) + _typed_ledger(folder)


def typed_file(file: str, run: str, folder: str) -> str:
    """What to type for a file of a run that is sent again: with its runs folder and ledger."""
    return shlex.quote(file) + typed(run, folder).removeprefix(run) + _typed_ledger(folder)


def _typed_ledger(folder: str) -> str:
    record = read_record_or_none(RunFolder(Path(folder))) or {}
    usual = str(Path(folder).resolve().parent / LEDGER_FILE)
    ledger = str(record.get("ledger", usual))
    return "" if ledger == usual else f" --ledger {shlex.quote(ledger)}"


def typed_runs(runs: Path) -> str:
    """The command that lists the runs of a runs folder."""
    return "replay runs" if runs == Path(DEFAULT_RUNS) else f"replay runs --runs {shlex.quote(str(runs))}"


def way_on(stopped_by: str | None) -> str:
    """What comes before `replay resume` after a stop."""
    return _WAYS_ON.get(stopped_by or "", "Continue where it stopped")


def shown(path: Path) -> str:
    """A path as it opens from the working folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
