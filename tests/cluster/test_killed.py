"""Workers, and whoever keeps the run, are killed at any moment: nothing is lost, nothing is sent twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster.bench import ClusterBench
from cluster.dask import Cluster
from proof.bench import kill
from proof.faults import Plan
from proof.verdict import judged
from sink.arrivals import most_in_a_second

if TYPE_CHECKING:
    from pathlib import Path

    from postgres import Server
    from proof.bench import Judge

CONCURRENCY = 24
WORKERS = 3


@pytest.fixture
def cluster(tmp_path: Path):
    with Cluster(tmp_path, WORKERS) as cluster:
        yield cluster


def test_one_of_three_workers_and_the_keeper_are_killed_and_resume_ends_the_run(
    tmp_path: Path, judge: Judge, cluster: Cluster, postgres: Server
) -> None:
    rate = 1_200
    bench = ClusterBench(tmp_path, judge, Plan(latency=0.02), 12_000, cluster, postgres)
    keeper = bench.send("--rate", f"{rate}/s", "--concurrency", str(CONCURRENCY))
    bench.until(keeper, 4_000)
    kill(cluster.workers[0])
    bench.until(keeper, 6_000)
    assert kill(keeper)
    told = bench.resume_when_free()
    figures = judged(told, bench.seen, 12_000, kills=1, concurrency=CONCURRENCY // WORKERS)
    assert figures.faults == (), told
    assert (figures.lost, figures.twice, figures.unreported) == (0, 0, 0)
    assert most_in_a_second(bench.seen.arrivals) <= 1.1 * rate


def test_the_rows_of_a_killed_worker_go_to_the_others(
    tmp_path: Path, judge: Judge, cluster: Cluster, postgres: Server
) -> None:
    bench = ClusterBench(tmp_path, judge, Plan(latency=0.02), 1_000, cluster, postgres)
    keeper = bench.send("--rate", "400/s", "--concurrency", str(CONCURRENCY))
    bench.until(keeper, 400)
    kill(cluster.workers[0])
    told = bench.end(keeper)
    figures = judged(told, bench.seen, 1_000, kills=1, concurrency=CONCURRENCY // WORKERS)
    assert figures.faults == (), told
    assert (told.summary["state"], told.rows["pending"]) == ("finished", 0)
    again = bench.end(bench.resume())
    assert again.summary == told.summary
