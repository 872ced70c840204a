"""How a run stands, for Prometheus: text on a port of this machine alone, for as long as the command lives.

Loaded only where it is asked for: it needs `prometheus-client` (the extra `metrics`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Self

from replay.console.standing import Speeds, is_at_limit
from replay.errors import UsageError
from replay.records import LATENCIES, NO_STATUS, Answers
from replay.sender import NO_ROWS
from replay.sink.breaker import OUTAGE

try:
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
except ImportError as error:
    raise UsageError(
        "--metrics-port needs prometheus-client. Install it: pip install 'hackle-replay[metrics]'"
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from prometheus_client import Metric

    from replay.pipeline import Progress
    from replay.records import Result

ADDRESS: Final = "127.0.0.1"
PREFIX: Final = "hackle_replay"
_WAITS: Final = ((OUTAGE, "outage"), ("Retry-After", "retry-after"), (NO_ROWS, "reading"))
WAITS: Final = ("rate", "retry-after", "outage", "backoff", "reading")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is told when somebody asks: numbers that nothing changes any more."""

    rows: dict[str, int]
    answers: Answers
    totals: dict[str, int]
    gauges: dict[str, float]
    wait: str | None


def sight_of(progress: Progress, speeds: Speeds) -> Sight:
    """What is told of a run that stands like this."""
    counts, rate, speed = progress.counts, progress.rate, speeds.requests.now
    return Sight(
        rows=counts.by_outcome(),
        answers=progress.answers.copy(),
        totals={"retries": counts.retries, "possible_duplicates": counts.possible_duplicates},
        gauges={
            "in_flight": progress.in_flight,
            "rows_left": progress.rows - progress.tried,
            "rate_limit": float("inf") if rate is None else rate,
            "rate": speed or 0.0,
            "source_bytes": progress.place.total,
            "source_bytes_done": progress.place.done,
        },
        wait=wait_of(progress.waiting_for, at_limit=is_at_limit(speed, rate)),
    )


def wait_of(reason: str | None, *, at_limit: bool) -> str | None:
    """The kind of a reason to wait, one of WAITS; the rate is one if nothing else is."""
    if reason is None:
        return "rate" if at_limit else None
    return next((kind for beginning, kind in _WAITS if reason.startswith(beginning)), "backoff")


class Metrics:
    """An observer that answers on a port in Prometheus' text format.

    Raises UsageError where the port cannot be had.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._speeds = Speeds()
        self._sight: Sight | None = None

    def __enter__(self) -> Self:
        registry = CollectorRegistry()
        registry.register(self)
        try:
            self._server, self._thread = start_http_server(self._port, addr=ADDRESS, registry=registry)
        except OSError as error:
            raise UsageError(
                f"--metrics-port {self._port}: {error.strerror}. Nothing was sent; name another port."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand; none before the first row is due."""
        if (sight := self._sight) is not None:
            yield from _families(sight)

    def on_progress(self, progress: Progress) -> None:
        """Keep what is told until the next time."""
        self._speeds.add(time.monotonic(), progress)
        self._sight = sight_of(progress, self._speeds)

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Say nothing of single rows."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Say nothing of single rows."""

    def on_stop(self, reason: str) -> None:
        """Say nothing: the numbers stand still, and the port closes."""


_GAUGES: Final = {
    "in_flight": "Requests under way",
    "rows_left": "Rows that this run has still to send",
    "rate_limit": "The most requests a second at this moment",
    "rate": "Requests a second, over the last ten",
    "source_bytes": "Bytes of the sources up to the last row that is sent, on the disk",
    "source_bytes_done": "Bytes of the sources whose rows have ended",
}
_TOTALS: Final = {
    "retries": "Requests that were not their row's first",
    "possible_duplicates": "Extra sends that may have been accepted",
}


def _families(sight: Sight) -> Iterator[Metric]:
    rows = GaugeMetricFamily(f"{PREFIX}_rows", "Rows by outcome; they add up to read", labels=["outcome"])
    for outcome, number in sight.rows.items():
        rows.add_metric([outcome], number)
    yield rows
    requests = CounterMetricFamily(
        f"{PREFIX}_requests", "Requests by status, none for no answer", labels=["status"]
    )
    for status, number in sorted(sight.answers.statuses.items()):
        requests.add_metric(["none" if status == NO_STATUS else str(status)], number)
    yield requests
    yield _latency(sight.answers)
    for name, number in sight.totals.items():
        yield CounterMetricFamily(f"{PREFIX}_{name}", _TOTALS[name], value=number)
    for name, gauge in sight.gauges.items():
        yield GaugeMetricFamily(f"{PREFIX}_{name}", _GAUGES[name], value=gauge)
    waits = GaugeMetricFamily(f"{PREFIX}_waiting", "1 for what the run waits for now", labels=["reason"])
    for wait in WAITS:
        waits.add_metric([wait], wait == sight.wait)
    yield waits


def _latency(answers: Answers) -> HistogramMetricFamily:
    bounds = [*(str(bound) for bound in LATENCIES), "+Inf"]
    buckets = [*zip(bounds, accumulate(answers.latencies), strict=True)]
    name, words = f"{PREFIX}_request_seconds", "From a request's first byte to its answer"
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=answers.seconds)
