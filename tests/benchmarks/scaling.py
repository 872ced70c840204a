"""How a cluster scales: workers against a server that is slow to answer, and nothing else."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import postgres
from benchmarks import data, server
from cluster.dask import Cluster

LATENCY_SECONDS = 0.05
IN_FLIGHT = 16  # of each worker
HERE = Path(__file__).parents[2]


def measure(workers: tuple[int, ...], rows: int, pairs: int) -> dict[str, list[float]]:
    """Rows a second of one machine, and of so many workers; `rows` for each that sends, in turn."""
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="replay-benchmark-") as name, postgres.Server() as database:
        folder = Path(name)
        data.write_mapping(folder / "map.toml")
        for _ in range(pairs):
            found.setdefault("one machine", []).append(_speed(folder, rows, IN_FLIGHT))
            for count in workers:
                with Cluster(folder, count, {"HACKLE_API_KEY": "k"}) as cluster:
                    shared = ("--cluster", cluster.address, "--ledger", database.url, "--again")
                    speed = _speed(folder, rows * count, IN_FLIGHT * count, *shared)
                found.setdefault(f"{count}", []).append(speed)
    return found


def _speed(folder: Path, rows: int, concurrency: int, *options: str) -> float:
    """From the first request that arrived to the last."""
    data.write_csv(folder / "rows.csv", rows)
    with server.noting(LATENCY_SECONDS) as (url, moments):
        command = [
            sys.executable,
            "-m",
            "replay",
            "send",
            "rows.csv",
            "--map",
            "map.toml",
            "--url",
            url,
            "--yes",
        ]
        command += ["--rate", "none", "--concurrency", str(concurrency), "--json", *options]
        environment = os.environ | {"HACKLE_API_KEY": "k", "PYTHONPATH": str(HERE)}
        ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"{ended.stdout!r}{ended.stderr!r}")
        arrived = moments()
    return (len(arrived) - 1) / (arrived[-1] - arrived[0])


def ratios(found: dict[str, list[float]]) -> list[tuple[str, float]]:
    """Each number of workers against one worker, and one worker against one machine: medians, in turn."""
    named = [("1 worker / one machine, SQLite", "1", "one machine")]
    named += [
        (f"{count} workers / 1 worker", count, "1") for count in found if count not in ("one machine", "1")
    ]
    return [
        (name, statistics.median(a / b for a, b in zip(found[more], found[less], strict=True)))
        for name, more, less in named
    ]
