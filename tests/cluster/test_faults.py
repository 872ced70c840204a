"""What a cluster meets besides kills: a frozen worker, a lost scheduler, a Postgres that goes away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cluster.bench import ClusterBench
from cluster.dask import Cluster, go_on, stop
from cluster.wire import Wire
from proof.faults import Plan
from proof.verdict import judged
from sink.arrivals import most_in_a_second

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import Server
    from proof.bench import Judge

ROWS = 800
RATE = 400
CONCURRENCY = 16
HALF = CONCURRENCY // 2


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, which are there again after each test."""
    with Cluster(tmp_path_factory.mktemp("dask"), 2) as cluster:
        yield cluster


@pytest.fixture
def bench(tmp_path: Path, judge: Judge, cluster: Cluster, postgres: Server) -> ClusterBench:
    return ClusterBench(tmp_path, judge, Plan(latency=0.02), ROWS, cluster, postgres)


def test_a_worker_that_was_frozen_and_comes_back_sends_nothing_that_is_anothers(
    bench: ClusterBench, cluster: Cluster
) -> None:
    keeper = bench.send("--rate", f"{RATE}/s", "--concurrency", str(CONCURRENCY))
    bench.until(keeper, 300)
    stop(cluster.workers[0])
    bench.until(keeper, ROWS - 100)  # which are more than the other's: its rows are another's by now
    go_on(cluster.workers[0])
    told = bench.end(keeper)
    figures = judged(told, bench.seen, ROWS, kills=1, concurrency=HALF)
    assert figures.faults == (), (told, (bench.folder / "err").read_text()[-1500:])
    assert (told.summary["state"], told.rows["pending"]) == ("finished", 0)
    assert most_in_a_second(bench.seen.arrivals) <= 1.1 * RATE


def test_a_worker_that_is_cut_off_from_postgres_leaves_its_rows_to_the_others(
    tmp_path: Path, judge: Judge, postgres: Server
) -> None:
    with Cluster(tmp_path, 1) as cluster, Wire("127.0.0.2", postgres.port) as wire:
        cluster.add(PGHOSTADDR="127.0.0.2")  # its own way to the ledger
        cluster.until(2)
        bench = ClusterBench(tmp_path, judge, Plan(latency=0.02), ROWS, cluster, postgres)
        keeper = bench.send("--rate", f"{RATE}/s", "--concurrency", str(CONCURRENCY))
        bench.until(keeper, 300)
        assert wire.is_used
        wire.cut()
        told = bench.end(keeper)
    figures = judged(told, bench.seen, ROWS, kills=1, concurrency=HALF)
    assert figures.faults == (), (told, (bench.folder / "err").read_text()[-1500:])
    assert (told.summary["state"], told.rows["pending"]) == ("finished", 0)
    assert most_in_a_second(bench.seen.arrivals) <= 1.1 * RATE


def test_a_postgres_that_is_restarted_midway_costs_at_most_a_resume(
    bench: ClusterBench, postgres: Server
) -> None:
    keeper = bench.send("--rate", f"{RATE}/s", "--concurrency", str(CONCURRENCY))
    bench.until(keeper, 300)
    postgres.kill()
    postgres.start()
    told = bench.end(keeper)
    if told.summary["state"] != "finished":
        assert told.summary["stopped_by"] == "storage"
        told = bench.resume_when_free("--rate", "none")
    figures = judged(told, bench.seen, ROWS, kills=2, concurrency=HALF)
    assert figures.faults == (), (told, (bench.folder / "err").read_text()[-1500:])
    assert told.rows["pending"] == 0


def test_a_run_that_loses_its_scheduler_goes_on_or_stops_resumable(
    bench: ClusterBench, cluster: Cluster
) -> None:
    keeper = bench.send("--rate", f"{RATE}/s", "--concurrency", str(CONCURRENCY))
    bench.until(keeper, 300)
    cluster.scheduler.kill()
    told = bench.end(keeper)
    if told.summary["state"] != "finished":  # workers may end themselves without one
        with Cluster(bench.folder, 2) as fresh:
            told = bench.resume_when_free("--cluster", fresh.address, "--rate", "none")
    figures = judged(told, bench.seen, ROWS, kills=2, concurrency=HALF)
    assert figures.faults == (), (told, (bench.folder / "err").read_text()[-1500:])
    assert told.rows["pending"] == 0
