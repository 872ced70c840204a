"""A ledger that was cut or changed on the disk is refused, or still right: no row goes out twice."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from typing import TYPE_CHECKING

import pytest
from ledger import scenario

from replay.errors import StorageError
from replay.ledger import opening, recovery
from replay.ledger.window import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONG = bool(os.environ.get("REPLAY_LONG_PROOFS"))
PLACES = 20_000 if LONG else 220


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a killed run leaves: copied while it lives, so that the journal is still beside the ledger."""
    folder = tmp_path_factory.mktemp("killed")
    left = folder / "left"

    def say(word: str, row: int) -> None:
        told.append(f"{word} {row}")
        if (word, row) == ("sent", 33):
            shutil.copytree(folder / "live", left)
            (left / "told").write_text("\n".join(told))

    told: list[str] = []
    (folder / "live").mkdir()
    scenario.play(folder / "live" / "ledger.sqlite", say)
    (left / "ledger.sqlite-shm").unlink()
    return left


@pytest.fixture(scope="module")
def settled(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, all of it in the file itself and none in the journal."""
    folder = tmp_path_factory.mktemp("settled") / "left"
    shutil.copytree(killed, folder)
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return folder


@pytest.fixture(params=["same boot", "next boot"], autouse=True)
def boot(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    now = boot_id() if request.param == "same boot" else "the next boot"
    monkeypatch.setattr(recovery, "boot_id", lambda: now)
    monkeypatch.setattr(opening, "boot_id", lambda: now)
    return now


def wrong_after(left: Path, folder: Path, damage: Callable[[Path], None]) -> list[str]:
    """What is wrong after the damage and a resume; nothing if the resume refuses."""
    shutil.copytree(left, folder)
    damage(folder)
    told = (folder / "told").read_text().splitlines()
    try:
        scenario.play(folder / "ledger.sqlite", lambda word, row: told.append(f"{word} {row}"))
        said = scenario.read_back(folder / "ledger.sqlite")
    except StorageError:
        said = {}
        return [fault for fault in scenario.faults(told, said) if "twice" in fault]
    finally:
        shutil.rmtree(folder)
    return [*scenario.faults(told, said, power_lost=True), *scenario.missing(said)]


def flip(path: Path, place: int, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)


def test_without_damage_a_killed_run_is_resumed(killed: Path, settled: Path, memory: Path) -> None:
    assert (killed / "ledger.sqlite-wal").stat().st_size > 0
    assert wrong_after(killed, memory / "k", lambda _: None) == []
    assert wrong_after(settled, memory / "s", lambda _: None) == []


@pytest.mark.parametrize("name", ["ledger.sqlite-wal", "ledger.sqlite"])
@pytest.mark.parametrize("how", ["cut", "flipped"])
def test_no_damage_to_a_byte_makes_a_row_go_out_twice(
    killed: Path, settled: Path, memory: Path, name: str, how: str
) -> None:
    left = killed if name.endswith("-wal") else settled
    size = (left / name).stat().st_size
    rnd = random.Random(5)
    for place in rnd.sample(range(size), min(PLACES, size)):
        bit = rnd.randrange(8)

        def damage(folder: Path, place: int = place, bit: int = bit) -> None:
            if how == "cut":
                os.truncate(folder / name, place)
            else:
                flip(folder / name, place, bit)

        assert wrong_after(left, memory / "d", damage) == [], f"{name} {how} at {place}, bit {bit}"


def test_a_journal_that_lost_its_end_is_told(killed: Path, memory: Path) -> None:
    folder = memory / "left"
    shutil.copytree(killed, folder)
    wal = folder / "ledger.sqlite-wal"
    os.truncate(wal, wal.stat().st_size - 4096)
    with pytest.raises(StorageError, match=r"last \d+ entries of run run are missing"):
        scenario.play(folder / "ledger.sqlite", lambda *_: None)


def test_a_window_that_is_gone_leaves_the_announced_rows_in_doubt(killed: Path, memory: Path) -> None:
    def remove(folder: Path) -> None:
        for window in folder.glob("*.window"):
            window.unlink()

    assert wrong_after(killed, memory / "d", remove) == []
