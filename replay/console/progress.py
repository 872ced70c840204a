"""How a run or a reading goes, while it goes: a tqdm bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from replay.console.log import LogFile
from replay.console.standing import BAR_LEAST, Speeds, fitted, line_of, name_of, parts_of
from replay.console.words import COLUMNS, clean, columns, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from replay.console.standing import Part
    from replay.pipeline import Observer, Progress
    from replay.pipeline.planning import Watch
    from replay.records import Result

LINE_SECONDS: Final = 10.0
DUPLICATES_NAMED: Final = 10
ROWS: Final = 24  # of the terminal, that tqdm gets: a bar needs one, and some terminals report none


@contextmanager
def reading(*, quiet: bool) -> Iterator[Watch | None]:
    """A bar of bytes while the sources are read; without a terminal a line now and then."""
    if quiet or not sys.stderr.isatty():
        yield None if quiet else ReadingLines()
        return
    units: dict[str, Any] = {"unit": "B", "unit_scale": True, "unit_divisor": 1024}
    with _bar_class()(desc="reading", leave=False, file=sys.stderr, nrows=ROWS, **units) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch


class ReadingLines:
    """Shows how far the sources are read as a plain line every ten seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() + LINE_SECONDS

    def __call__(self, done: int, total: int) -> None:
        """Write a line if it is time."""
        now = self._clock()
        if now >= self._next:
            self._next = now + LINE_SECONDS
            say(f"reading: {100 * done // max(total, 1)} %, {done:,} of {total:,} bytes")


@contextmanager
def measuring(port: int | None) -> Iterator[Observer | None]:
    """Who tells Prometheus how a run goes, on this port; None where nobody asks. Raises UsageError."""
    if port is None:
        yield None
        return
    from replay.console.metrics import Metrics

    with Metrics(port) as observer:
        yield observer


@contextmanager
def sending(
    sources: int, *, quiet: bool, log: Path | None = None, also: Observer | None = None
) -> Iterator[Observer]:
    """Who shows how a run of so many files goes: a bar on a terminal, else a line now and then; and a log.

    `also`: somebody else who is told.
    """
    with ExitStack() as stack:
        observers: list[Observer] = [] if also is None else [also]
        if not quiet and sys.stderr.isatty():
            observers.append(stack.enter_context(Bar(several=sources > 1)))
        elif not quiet:
            observers.append(Lines(several=sources > 1))
        if log is not None:
            observers.append(stack.enter_context(LogFile(log)))
        yield Several(observers)


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
    """Shows a run's progress as one tqdm bar of bytes, with what there is room to say beside it."""

    def __init__(self, *, several: bool) -> None:
        self._several = several
        self._speeds = Speeds()
        self._duplicates = Duplicates()
        self._bar = _bar_of_bytes()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._speeds.add(time.monotonic(), progress)
        self._bar.desc = f"{name_of(progress)} " if self._several else ""
        self._bar.parts = parts_of(progress, self._speeds)
        self._bar.total, self._bar.n = progress.place.total, progress.place.done
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


def _bar_of_bytes() -> Any:
    """A tqdm bar that fits what is said beside it into the terminal, however wide that is now."""
    from tqdm.utils import disp_len

    class Fitting(_bar_class()):  # type: ignore[misc]
        parts: Sequence[Part] = ()

        @property
        def format_dict(self) -> dict[str, Any]:
            known = super().format_dict
            width = known["ncols"] - len("100%|| ") - BAR_LEAST
            if disp_len(self.desc) > width // 3:
                known["prefix"] = ""
            else:
                width -= disp_len(self.desc)
            return {**known, "said": fitted(self.parts, width)}

    form = "{desc}{percentage:3.0f}%|{bar}| {said}"
    return Fitting(total=1, bar_format=form, file=sys.stderr, nrows=ROWS)


def _bar_class() -> Any:
    """A tqdm bar as wide as the terminal is now; tqdm draws none where a terminal reports 0 columns."""
    from tqdm import tqdm

    class Wide(tqdm):  # type: ignore[type-arg]
        @property
        def format_dict(self) -> dict[str, Any]:
            return {**super().format_dict, "ncols": columns(self.fp) or COLUMNS}

    return Wide


class Lines:
    """Shows a run's progress as a plain line every ten seconds."""

    def __init__(self, *, several: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._several = several
        self._clock = clock
        self._speeds = Speeds()
        self._next = clock() + LINE_SECONDS
        self._duplicates = Duplicates()

    def on_progress(self, progress: Progress) -> None:
        """Write a line if it is time."""
        now = self._clock()
        self._speeds.add(now, progress)
        if now >= self._next:
            self._next += LINE_SECONDS
            say(line_of(progress, self._speeds, several=self._several))

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Say nothing of single rows."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Say which row it is."""
        if text := self._duplicates.tell(source, row):
            say(text)

    def on_stop(self, reason: str) -> None:
        """Say that the run is stopping."""
        say(reason)
