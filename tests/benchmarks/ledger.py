"""What the ledger costs: rows a second with it, against the same sending that writes nothing.

    python tests/benchmarks/ledger.py [--rows 20000] [--pairs 5] [--json FILE]

The two are run in turn, so that a machine whose speed drifts tells the same ratio. Sender, sink, sockets and
disk are real; the server is tests/benchmarks/server.py, in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.server import running

from replay.ledger import Book, Content, Destination, Opening, begin, open_ledger, resolve
from replay.pipeline.run import WRITE_SECONDS
from replay.records import Event, Result
from replay.sender import Sender
from replay.settings import SendSettings, SinkSettings
from replay.sink import Answer, HttpSink, Throttle, Tries

BODY = (
    b'{"event":{"key":"purchase","value":%d,"properties":{"paymentMethod":"CARD"}},"user":{"userId":"u%d"}}'
)
IN_FLIGHT = 64


class WritingNothing:
    """A watcher that only counts."""

    def __init__(self) -> None:
        self.ended = 0

    def on_start(self, event: Event) -> None:
        """Nothing."""

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """Nothing."""

    def on_wait(self, event: Event) -> None:
        """Nothing."""

    def on_end(self, event: Event, result: Result) -> None:
        self.ended += 1

    def on_take_back(self, event: Event, result: Result) -> None:
        """Nothing."""


class WritingDown(WritingNothing):
    """A watcher that keeps a run's book, as a run does."""

    def __init__(self, book: Book) -> None:
        super().__init__()
        self._book = book
        self.disk = ThreadPoolExecutor(1)

    async def announce(self, events: Sequence[Event]) -> None:
        rows = [(event.copy, event.number) for event in events]
        loop = asyncio.get_running_loop()
        slots = await loop.run_in_executor(self.disk, self._book.announce, rows)
        for event, slot in zip(events, slots, strict=True):
            event.slot = slot

    async def write(self) -> None:
        """Write down what ended, again and again."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await asyncio.get_running_loop().run_in_executor(self.disk, self._book.write)

    def on_start(self, event: Event) -> None:
        self._book.start(event.slot)

    def on_end(self, event: Event, result: Result) -> None:
        super().on_end(event, result)
        self._book.end(event.slot, event.copy, event.number, result)


async def events(rows: int, copy: int) -> AsyncIterator[list[Event]]:
    for start in range(0, rows, 1000):
        numbers = range(start + 1, min(start + 1000, rows) + 1)
        yield [
            Event(0, row, BODY % (row, row), (f"u{row}",), None, 0, copy=copy, number=row)  # type: ignore[arg-type]
            for row in numbers
        ]


async def send(url: str, rows: int, folder: Path | None) -> float:
    """Send so many rows; returns rows a second."""
    settings = SendSettings(rate=None, concurrency=IN_FLIGHT)
    async with HttpSink(SinkSettings(url=url, api_key="k", concurrency=IN_FLIGHT)) as sink:
        throttle = Throttle(None, time.monotonic)
        if folder is None:
            started = time.perf_counter()
            await Sender(sink, throttle, settings, WritingNothing()).run(events(rows, 0))
            return rows / (time.perf_counter() - started)
        with open_ledger(folder / "ledger.sqlite") as store:
            content = Content(1, "d" * 32, "h")
            opening = Opening(
                "run", "send", "now", Destination(url, "k"), [(content, resolve(store, content))]
            )
            with begin(store, opening) as book:
                watcher = WritingDown(book)
                started = time.perf_counter()
                (copy,) = book.copies.values()
                writing = asyncio.create_task(watcher.write())
                await Sender(sink, throttle, settings, watcher, announce=watcher.announce).run(
                    events(rows, copy)
                )
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                await asyncio.get_running_loop().run_in_executor(watcher.disk, book.write)
                book.close()
                return rows / (time.perf_counter() - started)


def measure(rows: int, pairs: int) -> dict[str, float]:
    """Both in turn, after one pair that does not count."""
    with running() as url:
        without, with_ = [], []
        for _ in range(pairs + 1):
            without.append(uvloop.run(send(url, rows, None)))
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
                with_.append(uvloop.run(send(url, rows, Path(folder))))
    ratios = [one / other for one, other in zip(with_[1:], without[1:], strict=True)]
    return {
        "without_rows_per_second": round(statistics.median(without[1:])),
        "with_rows_per_second": round(statistics.median(with_[1:])),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = measure(options.rows, options.pairs)
    for name, figure in figures.items():
        print(f"{name:<26}{figure:>12,}")
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
