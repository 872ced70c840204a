"""How a run or a reading goes, while it goes: a tqdm bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from replay.console.log import LogFile
from replay.console.words import clean, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from replay.pipeline import Observer, Progress
    from replay.pipeline.planning import Watch
    from replay.records import Result

LINE_SECONDS: Final = 10.0
DUPLICATES_NAMED: Final = 10


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
def sending(rows: int, *, quiet: bool, log: Path | None = None) -> Iterator[Observer]:
    """Who shows how a run goes: a bar on a terminal, a line now and then elsewhere, a log if asked for."""
    with ExitStack() as stack:
        observers: list[Observer] = []
        if not quiet:
            observers.append(_shown(rows, stack))
        if log is not None:
            observers.append(stack.enter_context(LogFile(log)))
        yield Several(observers)


def _shown(rows: int, stack: ExitStack) -> Observer:
    if not sys.stderr.isatty():
        return Lines(rows)
    from tqdm import tqdm

    return Bar(
        stack.enter_context(tqdm(total=rows, unit="row", desc="sending", file=sys.stderr, dynamic_ncols=True))
    )


class Several:
    """Tells several observers the same."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers

    def on_progress(self, progress: Progress) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.on_progress(progress)

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.on_row(source, row, result)

    def on_duplicate(self, source: str, row: int) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.on_duplicate(source, row)

    def on_stop(self, reason: str) -> None:
        """Tell each."""
        for observer in self._observers:
            observer.on_stop(reason)


class Duplicates:
    """Names the first rows that may have arrived twice; there can be very many."""

    def __init__(self) -> None:
        self._told = 0

    def tell(self, source: str, row: int) -> str | None:
        """What to say of one more, if anything."""
        self._told += 1
        if self._told > DUPLICATES_NAMED:
            return None
        more = "" if self._told < DUPLICATES_NAMED else " Others are counted; --log-file names them all."
        return f"{clean(source)} row {row} was sent once more and may now be there twice.{more}"


class Bar:
    """Shows a run's progress as a tqdm bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._duplicates = Duplicates()

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(_standing(progress), refresh=False)
        self._bar.update(progress.tried - self._bar.n)
        self._bar.refresh()

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Say nothing of single rows."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Say above the bar which row it is."""
        if text := self._duplicates.tell(source, row):
            self._bar.write(text, file=sys.stderr)

    def on_stop(self, reason: str) -> None:
        """Say above the bar that the run is stopping."""
        self._bar.write(reason, file=sys.stderr)


class Lines:
    """Shows a run's progress as a plain line every ten seconds."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._next = time.monotonic() + LINE_SECONDS
        self._duplicates = Duplicates()

    def on_progress(self, progress: Progress) -> None:
        """Write a line if it is time."""
        if time.monotonic() >= self._next:
            self._next += LINE_SECONDS
            say(f"{progress.tried:,} of {self._rows:,} rows; {_standing(progress)}")

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Say nothing of single rows."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Say which row it is."""
        if text := self._duplicates.tell(source, row):
            say(text)

    def on_stop(self, reason: str) -> None:
        """Say that the run is stopping."""
        say(reason)


def _standing(progress: Progress) -> str:
    counts = progress.counts
    failed = counts.tried() - counts.rows["delivered"]
    parts = [
        f"{counts.rows['delivered']:,} delivered",
        f"{failed:,} failed",
        f"{progress.in_flight} in flight",
    ]
    if counts.retries:
        parts.append(f"{counts.retries:,} retries")
    if progress.rate is not None:
        parts.append(f"{progress.rate:,.0f}/s at most")
    if progress.waiting_for:
        parts.append(f"waiting: {clean(progress.waiting_for)}")
    return ", ".join(parts)
