"""The machine may stop at any write: no row that may have left is pending afterwards.

A kill cannot show this, for what was written stays written. So each write, sync and removal of a run
is written down, and the disk as it may be found after any of them is handed to a resume.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest
from ledger import mutants, scenario
from ledger.disk import Disk, all_of, build_shim, none_of, record, some_of

from replay.ledger import batches, entries, opening, recovery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.disk import Op

LONG = bool(os.environ.get("REPLAY_LONG_PROOFS"))
POINTS = 5_000 if LONG else 130
CHOICES = 10 if LONG else 2


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc to build the recorder of disk writes with")
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(autouse=True)
def next_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "boot_id", lambda: "the next boot")
    monkeypatch.setattr(opening, "boot_id", lambda: "the next boot")


def power_losses(ops: list[Op], folder: Path) -> Iterator[str]:
    """What is wrong after a resume from each of the disks that may be found."""
    rnd = random.Random(11)
    points = set(range(len(ops)) if len(ops) <= POINTS else rnd.sample(range(len(ops)), POINTS))
    disk = Disk()
    for point, op in enumerate(ops):
        disk.take(op)
        if point in points:
            for place, keep in enumerate([all_of, none_of, *itertools.repeat(some_of(rnd), CHOICES)]):
                found = folder / f"{point}-{place}"
                disk.after_power_loss(found, keep)
                yield from (f"{point}-{place}: {fault}" for fault in resumed(found, list(disk.told)))
                shutil.rmtree(found)


def resumed(folder: Path, told: list[str]) -> Iterator[str]:
    ledger = folder / "ledger.sqlite"
    scenario.play(ledger, lambda word, row: told.append(f"{word} {row}"))
    said = scenario.read_back(ledger)
    yield from scenario.faults(told, said, power_lost=True)
    yield from scenario.missing(said)


def test_after_a_power_loss_at_any_write_no_row_is_sent_twice_or_lost(shim: Path, memory: Path) -> None:
    ops = record(shim, memory / "run")
    assert {op.path for op in ops if op.kind == "S"} >= {"ledger.sqlite", "ledger.sqlite-wal"}
    assert list(power_losses(ops, memory)) == []


def test_a_ledger_without_fsync_is_caught(shim: Path, memory: Path) -> None:
    ops = record(shim, memory / "run", "without_fsync")
    assert any("sent twice" in fault for fault in power_losses(ops, memory))


@pytest.mark.parametrize(
    "mutant", ["any_window_is_trusted", "batch_gone_before_its_outcomes", "announced_without_a_commit"]
)
def test_a_ledger_that_breaks_its_promise_is_caught_by_power_losses(
    shim: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    for room, name in ((recovery, "end"), (entries, "write"), (batches, "announce")):
        monkeypatch.setattr(room, name, getattr(room, name))  # put back after the test
    ops = record(shim, memory / "run", mutant)
    if mutant == "any_window_is_trusted":
        mutants.become(mutant)
    assert any("sent twice" in fault for fault in power_losses(ops, memory))
