"""How a run or a reading goes, while it goes: a tqdm bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from replay.console.words import clean, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.pipeline import Observer, Progress
    from replay.pipeline.plan import Watch

LINE_SECONDS: Final = 10.0


@contextmanager
def reading(*, quiet: bool) -> Iterator[Watch | None]:
    """A bar of bytes while the sources are read; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(
        unit="B", unit_scale=True, unit_divisor=1024, desc="reading", leave=False, file=sys.stderr
    ) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch


@contextmanager
def sending(rows: int, *, quiet: bool) -> Iterator[Observer]:
    """Who shows how a run goes: a bar on a terminal, a line now and then elsewhere."""
    from replay.pipeline import Silent

    if quiet:
        yield Silent()
        return
    if not sys.stderr.isatty():
        yield Lines(rows)
        return
    from tqdm import tqdm

    with tqdm(total=rows, unit="row", desc="sending", file=sys.stderr, dynamic_ncols=True) as bar:
        yield Bar(bar)


class Bar:
    """Shows a run's progress as a tqdm bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(_standing(progress), refresh=False)
        self._bar.update(_tried(progress) - self._bar.n)
        self._bar.refresh()

    def on_stop(self, reason: str) -> None:
        """Say above the bar that the run is stopping."""
        self._bar.write(reason, file=sys.stderr)


class Lines:
    """Shows a run's progress as a plain line every ten seconds."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._next = time.monotonic() + LINE_SECONDS

    def on_progress(self, progress: Progress) -> None:
        """Write a line if it is time."""
        if time.monotonic() >= self._next:
            self._next += LINE_SECONDS
            say(f"{_tried(progress):,} of {self._rows:,} rows; {_standing(progress)}")

    def on_stop(self, reason: str) -> None:
        """Say that the run is stopping."""
        say(reason)


def _tried(progress: Progress) -> int:
    rows = progress.counts.rows
    return sum(rows[name] for name in ("delivered", "rejected", "exhausted", "ambiguous"))


def _standing(progress: Progress) -> str:
    counts = progress.counts
    failed = _tried(progress) - counts.rows["delivered"]
    parts = [
        f"{counts.rows['delivered']:,} delivered",
        f"{failed:,} failed",
        f"{progress.in_flight} in flight",
    ]
    if counts.retries:
        parts.append(f"{counts.retries:,} retries")
    if progress.waiting_for:
        parts.append(f"waiting: {clean(progress.waiting_for)}")
    return ", ".join(parts)
