"""How many rows a run's folder says were recorded in the ledger: by that a replaced ledger is found."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from replay.report.folder import write_whole
from replay.report.summary import read_summary

if TYPE_CHECKING:
    from pathlib import Path

    from replay.report.folder import RunFolder

RECORDED_FILE: Final = ".rows-recorded"


def keep_recorded(folder: RunFolder, rows: int) -> None:
    """Keep how many rows the ledger recorded as delivered or ambiguous; never fewer than before."""
    if rows > _kept(folder):
        write_whole(_file(folder), f"{rows}\n".encode())


def recorded_before(folder: RunFolder) -> int:
    """How many rows the ledger had recorded, as far as the folder says.

    The summary counts rows that were settled or sent again elsewhere, so the number kept beside it is the
    higher one. A run that the disk stopped may have counted what its ledger could not take.
    """
    summary = read_summary(folder) or {}
    counted = 0 if summary.get("stopped_by") == "storage" else _counted(summary)
    return max(counted, _kept(folder))


def has_reached_a_target(folder: RunFolder) -> bool:
    """Whether a request of the run may have left: it is not known of one that was killed at once."""
    summary = read_summary(folder)
    if summary is None or summary.get("state") in (None, "running"):
        return True
    return bool(summary.get("requests")) or recorded_before(folder) > 0


def _counted(summary: dict[str, Any]) -> int:
    rows = summary.get("rows")
    if not isinstance(rows, dict):
        return 0
    counts = [rows.get(name) for name in ("delivered", "ambiguous")]
    return sum(count for count in counts if isinstance(count, int))


def _kept(folder: RunFolder) -> int:
    with suppress(OSError, ValueError):
        return int(_file(folder).read_text("ascii"))
    return 0


def _file(folder: RunFolder) -> Path:
    return folder.path / RECORDED_FILE
