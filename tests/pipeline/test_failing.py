"""Failed rows are written chunk by chunk and beside the event loop, whatever makes them fail."""

from __future__ import annotations

import csv
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cli.desk import Desk, Server, reply

from replay.report import FailedFile, PrivateFile

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 600


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[threading.Thread, int]]:
    """The thread and the number of rows of each write to a failed file."""
    found: list[tuple[threading.Thread, int]] = []
    append = FailedFile.append

    def noted(file: FailedFile, chunk: Any, notes: Any) -> None:
        found.append((threading.current_thread(), len(notes)))
        append(file, chunk, notes)

    monkeypatch.setattr(FailedFile, "append", noted)
    return found


@pytest.fixture
def desk(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HACKLE_API_KEY", "key-of-this-test")
    return Desk(tmp_path, capfd)


def written_well(desk: Desk, appended: list[tuple[threading.Thread, int]], failed: int) -> bool:
    """Whether all failed rows were written in few writes, none of them in the thread of the event loop."""
    assert sum(rows for _, rows in appended) == failed
    assert len(appended) < failed / 2
    assert threading.main_thread() not in {thread for thread, _ in appended}
    with desk.failed().open(newline="") as file:
        rows = [int(row["_replay_row"]) for row in csv.DictReader(file)]
    return rows == sorted(rows) and len(rows) == failed


@pytest.mark.parametrize("processes", ["1", "2"])
def test_refused_rows(desk: Desk, appended: list[tuple[threading.Thread, int]], processes: str) -> None:
    desk.numbered(ROWS)
    with Server(reply(lambda body: 200 if body["event"]["value"] == 1 else 400)) as server:
        ended = desk.send(server, "--concurrency", "1", "--order", "none", "--processes", processes)
    assert ended.rows["rejected"] == ROWS - 1
    assert written_well(desk, appended, ROWS - 1)


def test_invalid_rows(desk: Desk, appended: list[tuple[threading.Thread, int]]) -> None:
    desk.csv(*(f"buy,user{n},none,m" for n in range(ROWS)))
    with Server() as server:
        ended = desk.send(server)
    assert ended.rows["invalid"] == ROWS
    assert written_well(desk, appended, ROWS)


def test_rows_whose_source_is_gone_at_the_end_are_all_in_the_file(desk: Desk) -> None:
    path = desk.numbered(40)

    def answer(body: dict[str, Any]) -> int:
        if body["event"]["value"] == 40:
            path.write_text("event,user,amount,memo\n")
        return 200 if body["event"]["value"] == 1 else 400

    with Server(reply(answer)) as server:
        desk.send(server, "--concurrency", "1")
    assert len(desk.failed().read_text().splitlines()) == 1 + 39


def test_a_write_that_a_full_disk_breaks_off_leaves_nothing_behind(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, room = desk.folder / "file", iter([4, OSError(28, "No space left on device")])
    real = os.write

    def write(descriptor: int, data: memoryview) -> int:
        held = next(room, None)
        if isinstance(held, OSError):
            raise held
        return real(descriptor, data[:held] if held else data)

    file = PrivateFile(path)
    file.write(b"whole\n")
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        file.write(b"torn by a full disk\n")
    file.write(b"next\n")
    file.close()
    assert path.read_bytes() == b"whole\nnext\n"
