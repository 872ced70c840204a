"""Where the proofs play: what they show does not depend on how long a real disk takes."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from replay.ledger import open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.ledger import Store
    from replay.settings import Postgres

SHARED_MEMORY = Path("/dev/shm")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    with TemporaryDirectory(dir=SHARED_MEMORY if SHARED_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session", autouse=True)
def children_find_these_modules():
    """Scenarios run in processes of their own, as modules of this folder."""
    tests = str(Path(__file__).parents[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", tests, prepend=os.pathsep)
        yield


@pytest.fixture(params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Path | Postgres:
    """Where a ledger is kept: what is promised holds for both."""
    if request.param == "sqlite":
        return tmp_path / "ledger.sqlite"
    place: Postgres = request.getfixturevalue("postgres").place
    return place


@pytest.fixture
def store(ledger: Path | Postgres, tmp_path: Path) -> Iterator[Store]:
    with open_ledger(ledger, tmp_path) as opened:
        yield opened
