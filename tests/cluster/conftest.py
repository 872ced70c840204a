"""What a test of clusters begins with: a desk, a Postgres, a scheduler with workers, a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cli.desk import KEY, Desk
from cluster.dask import Cluster
from proof.bench import Judge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HACKLE_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    return Desk(tmp_path, capfd)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers for all tests of a file that do them no harm."""
    with Cluster(tmp_path_factory.mktemp("dask"), 2) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as judge:
        yield judge
