"""What is measured: a part is a function that returns rows of the table; ratios are taken in turn."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import data, server
from benchmarks import ledger as ledger_cost
from benchmarks.destination import destination
from benchmarks.processes import Ended, python, replay, rows_per_second


@dataclass(frozen=True)
class Figure:
    """One row of the table; `bound` is what the project promises, in words."""

    part: str
    name: str
    value: float
    unit: str
    bound: str = ""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: `rows` sent, `pairs` of runs in turn, sizes of files in rows."""

    rows: int = 150_000
    pairs: int = 5
    check_rows: int = 400_000
    memory_rows: tuple[int, ...] = (200_000, 2_000_000)
    send_memory_rows: tuple[int, ...] = (50_000, 500_000)
    pace_seconds: float = 8.0
    workers: tuple[int, ...] = (1, 2, 4)
    worker_rows: int = 2_000


QUICK = Sizes(3_000, 1, 5_000, (2_000, 20_000), (500, 3_000), 2.0, (1,), 200)
_GROWING = (200_000, 2_000_000, 20_000_000)
FULL = Sizes(memory_rows=_GROWING, send_memory_rows=_GROWING, pace_seconds=20.0)


FEW_ROWS = 500_000


@contextmanager
def files(rows: int) -> Iterator[tuple[Path, Path, Path]]:
    """A folder with a CSV of so many rows and its mapping."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".benchmark-") as name:
        folder = Path(name)
        mapping = data.write_mapping(folder / "map.toml")
        yield folder, data.write_csv(folder / "rows.csv", rows), mapping


def in_turn(pairs: int, **measures: Callable[[], float]) -> dict[str, list[float]]:
    """Measure each in turn, so often, after one round that does not count."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(pairs + 1)]
    return {name: [one[name] for one in rounds[1:] or rounds] for name in measures}


def ratio(found: dict[str, list[float]], name: str, yardstick: str) -> float:
    """The median of the ratios of measures that were taken in the same round."""
    return statistics.median(a / b for a, b in zip(found[name], found[yardstick], strict=True))


def send_once(folder: Path, url: str, *options: str, may_fail: bool = False) -> Ended:
    """One run of the tool over the folder's CSV, with a ledger of its own; `may_fail`: rows of it may."""
    with tempfile.TemporaryDirectory(dir=folder) as runs:
        fixed = ("--map", "map.toml", "--url", url, "--runs", runs, "--yes", "--json", "--concurrency", "64")
        codes = (0, 3) if may_fail else (0,)
        return replay("send", "rows.csv", *fixed, *options, folder=folder, codes=codes)


def sending(sizes: Sizes) -> list[Figure]:
    """CSV to server with the ledger on, against bare aiohttp on bodies that are ready."""
    with destination() as (url, name), files(sizes.rows) as (folder, path, _):

        def tool(*options: str) -> Callable[[], float]:
            command = ("--rate", "none", *options)
            return lambda: float(send_once(folder, url, *command).json["rows_per_second"])

        def bare() -> float:
            return rows_per_second("bare", url, str(sizes.rows))

        found = in_turn(
            sizes.pairs,
            bare=bare,
            one=tool(),
            script=lambda: rows_per_second("script", url, str(path), str(sizes.rows // 5)),
            requests=lambda: rows_per_second("requests", url, str(path), str(sizes.rows // 20)),
        )
        both = in_turn(2 * sizes.pairs, bare=bare, one=tool(), two=tool("--processes", "2"))
    part = f"send to {name}"
    return [
        Figure(part, "bare aiohttp", statistics.median(found["bare"]), "rows/s"),
        Figure(part, "replay send", statistics.median(found["one"]), "rows/s"),
        Figure(part, "replay send / bare aiohttp", ratio(found, "one", "bare"), "ratio", "at least 0.80"),
        Figure(part, "--processes 2 / bare aiohttp", ratio(both, "two", "bare"), "ratio"),
        Figure(part, "--processes 2 / one process", ratio(both, "two", "one"), "ratio", "at least 1.3"),
        Figure(part, "an aiohttp script / bare aiohttp", ratio(found, "script", "bare"), "ratio"),
        Figure(part, "a requests thread pool / bare aiohttp", ratio(found, "requests", "bare"), "ratio"),
    ]


def checking(sizes: Sizes) -> list[Figure]:
    """`check` against the bare readers."""
    with files(sizes.check_rows) as (folder, path, mapping):
        lines = data.write_jsonl(folder / "rows.jsonl", sizes.check_rows // 2)
        found = in_turn(
            sizes.pairs,
            csv=lambda: rows_per_second("check", str(path), str(mapping)),
            read_csv=lambda: rows_per_second("read_csv", str(path)),
            jsonl=lambda: rows_per_second("check", str(lines), str(mapping)),
            loads=lambda: rows_per_second("loads", str(lines)),
        )
    return [
        Figure("check", "CSV", statistics.median(found["csv"]), "rows/s"),
        Figure(
            "check", "CSV / bare pandas.read_csv", ratio(found, "csv", "read_csv"), "ratio", "at least 0.67"
        ),
        Figure("check", "JSONL", statistics.median(found["jsonl"]), "rows/s"),
        Figure(
            "check", "JSONL / json.loads a line", ratio(found, "jsonl", "loads"), "ratio", "at least 0.67"
        ),
    ]


def growing(sizes: Sizes) -> list[Figure]:
    """Peak memory, and the cost of a row, as the file grows."""
    start = _checked(10).seconds
    checks, sends = {rows: _checked(rows) for rows in sizes.memory_rows}, {}
    for rows in sizes.send_memory_rows:
        with destination() as (url, _), files(rows) as (folder, _, _):
            sends[rows] = send_once(folder, url, "--rate", "none")
    cost = {rows: (ended.seconds - start) / rows * 1e6 for rows, ended in checks.items()}
    return [
        *_peaks("check", checks),
        *_peaks("send", sends),
        *(Figure("cost of a row", f"check of {rows:,} rows", micro, "µs") for rows, micro in cost.items()),
        Figure("cost of a row", "most / least", max(cost.values()) / min(cost.values()), "ratio", "flat"),
    ]


def _checked(rows: int) -> Ended:
    """A check of so many rows; of few, which are easily disturbed, the least seconds and the median peak."""
    with files(rows) as (folder, _, mapping):
        runs = [
            replay("check", "rows.csv", "--map", str(mapping), "--quiet", folder=folder)
            for _ in range(1 if rows > FEW_ROWS else 5)
        ]
    peak = statistics.median(ended.peak_mb for ended in runs)
    return replace(min(runs, key=lambda ended: ended.seconds), peak_mb=peak)


def _peaks(name: str, ended: dict[int, Ended]) -> list[Figure]:
    peaks = {rows: one.peak_mb for rows, one in ended.items()}
    first, *_, last = peaks.values()
    growth = (last / first - 1) * 100
    listed = [
        Figure("peak memory", f"{name} of {rows:,} rows", peak, "MB", "under 300")
        for rows, peak in peaks.items()
    ]
    return [*listed, Figure("peak memory", f"{name}: first to last", growth, "% growth", "under 15")]


def starting(sizes: Sizes) -> list[Figure]:
    """How soon the tool says something."""
    with files(10) as (folder, _, mapping):
        found = in_turn(
            2 * sizes.pairs,
            help=lambda: replay("--help").seconds,
            typer=lambda: python("-c", "import typer").seconds,
            check=lambda: replay("check", "rows.csv", "--map", str(mapping), folder=folder).seconds,
            libraries=lambda: python("-c", "import pandas, aiohttp").seconds,
        )
    return [
        Figure("start", "replay --help / import typer", ratio(found, "help", "typer"), "ratio", "under 3"),
        Figure(
            "start",
            "a tiny check / import pandas, aiohttp",
            ratio(found, "check", "libraries"),
            "ratio",
            "under 2",
        ),
    ]


def pacing(sizes: Sizes) -> list[Figure]:
    """The rate that arrives: the fullest second against the promise, the mean against what was typed."""
    figures = []
    for rate, processes in ((1, 1), (50, 1), (1_000, 1), (5_000, 1), (1_000, 2), (5_000, 2)):
        rows = max(4, int(rate * sizes.pace_seconds))
        with server.noting() as (url, moments), files(min(rows, data.BLOCK_ROWS)) as (folder, _, _):
            send_once(folder, url, "--rate", f"{rate}/s", "--limit", str(rows), "--processes", str(processes))
            arrived = moments()
        name = f"{rate:,}/s, {processes} process{'es' if processes > 1 else ''}"
        most, mean = _fullest_second(arrived), (len(arrived) - 1) / (arrived[-1] - arrived[0])
        bound = f"at most {1.02 * rate + 1:,.0f}"
        figures.append(Figure("pace", f"{name}: fullest second", most, "rows", bound))
        figures.append(Figure("pace", f"{name}: mean / typed", mean / rate, "ratio", "0.98 to 1.02"))
    return figures


def _fullest_second(moments: list[float]) -> int:
    first, most = 0, 0
    for place, moment in enumerate(moments):
        while moments[first] <= moment - 1.0:
            first += 1
        most = max(most, place - first + 1)
    return most


def profiling(sizes: Sizes) -> list[Figure]:
    """Where the microseconds of a row go: one more layer at a time, on one server."""
    rows = str(sizes.rows // 2)
    with destination() as (url, _), files(sizes.rows // 2) as (folder, path, mapping):
        found = in_turn(
            sizes.pairs,
            bare=lambda: rows_per_second("bare", url, rows),
            sink=lambda: rows_per_second("sink", url, rows),
            sender=lambda: rows_per_second("sender", url, rows),
            tool=lambda: float(send_once(folder, url, "--rate", "none").json["rows_per_second"]),
            feed=lambda: rows_per_second("feed", str(path), str(mapping)),
        )
    micros = {name: 1e6 / statistics.median(speeds) for name, speeds in found.items()}
    layers = {
        "bare aiohttp, a request and its answer": micros["bare"],
        "our sink in its stead: what all rows share is made once": micros["sink"] - micros["bare"],
        "the sender: order, pace, gate, retries": micros["sender"] - micros["sink"],
        "marks, news, announcements, the run beside it": micros["tool"] - micros["sender"],
        "in all, one process": micros["tool"],
        "beside it: read, map, judge, encode": micros["feed"],
    }
    return [Figure("a row", name, value, "µs") for name, value in layers.items()]


def ledger(sizes: Sizes) -> list[Figure]:
    """What the ledger costs a sender in its own process."""
    found = ledger_cost.measure(sizes.rows // 8, sizes.pairs)
    return [Figure("ledger", "with / without, one process", found["ratio_median"], "ratio")]


def clustering(sizes: Sizes) -> list[Figure]:
    """Workers of a cluster, each with as many requests in flight, against a server that takes 50 ms."""
    from benchmarks import scaling  # of an extra

    found = scaling.measure(sizes.workers, sizes.worker_rows, max(1, sizes.pairs - 2))
    part = f"cluster, {scaling.IN_FLIGHT} in flight a worker, 50 ms"
    return [
        Figure(part, "one machine, SQLite", statistics.median(found["one machine"]), "rows/s"),
        *(Figure(part, name, value, "ratio") for name, value in scaling.ratios(found)),
    ]


def refusing(sizes: Sizes) -> list[Figure]:
    """What a refused row costs: the same rows with none, a half and nearly all of them refused, in turn."""
    shares = {"none": 0, "half": 50, "most": 99}
    with files(sizes.rows // 10) as (folder, _, _):

        def sent(refusals: int) -> Callable[[], float]:
            def measure() -> float:
                with server.noting(refusals=refusals) as (url, _):
                    ended = send_once(folder, url, "--rate", "none", may_fail=True)
                return float(ended.json["rows_per_second"])

            return measure

        found = in_turn(sizes.pairs, **{name: sent(share) for name, share in shares.items()})
    part = "send, refused rows"
    return [
        Figure(part, "none refused", statistics.median(found["none"]), "rows/s"),
        Figure(part, "50 % refused / none", ratio(found, "half", "none"), "ratio"),
        Figure(part, "99 % refused / none", ratio(found, "most", "none"), "ratio"),
    ]


PARTS: dict[str, Callable[[Sizes], list[Figure]]] = {
    "send": sending,
    "check": checking,
    "grow": growing,
    "start": starting,
    "pace": pacing,
    "profile": profiling,
    "ledger": ledger,
    "refusals": refusing,
    "cluster": clustering,
}


def measure(names: list[str], sizes: Sizes, told: Callable[[str], None]) -> Iterator[Figure]:
    """The figures of some parts, one part after another."""
    for name in names:
        started = time.perf_counter()
        yield from PARTS[name](sizes)
        told(f"{name}: {time.perf_counter() - started:.0f} s")
