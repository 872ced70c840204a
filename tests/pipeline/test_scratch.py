"""What a killed command left in a folder is removed by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from replay.pipeline.scratch import PREFIX, held, remove_abandoned, scratch

LATER = 3600.0
RUN = "20260101-000000-00aa"

DOWNLOADING = """
import sys, signal
from pathlib import Path
from replay.pipeline.scratch import held
folder = Path(sys.argv[1])
with held(folder):
    (folder / "fetched").mkdir()
    (folder / "fetched" / "1-rows.csv").write_bytes(b"half of it")
    print("ready", flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("name", [RUN, f"{PREFIX}abc_1234.tmp"])
def test_what_a_killed_download_left_is_removed_once_it_is_dead(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir()
    command = [sys.executable, "-c", DOWNLOADING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        remove_abandoned(tmp_path, time.time() + LATER)
        assert (folder / "fetched" / "1-rows.csv").exists()
        os.kill(process.pid, signal.SIGKILL)
    remove_abandoned(tmp_path, time.time() + LATER)
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        f"{RUN}/run.toml",
        f"{RUN}/failed/a.csv",
        "mine/fetched/a.csv",
        "fetched/a.csv",
        f"{PREFIX}main/fetched/a.csv",
        f"{PREFIX}abc_1234.tmp/mine.csv",
    ],
)
def test_what_is_no_copy_of_a_source_stays(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("kept")
    remove_abandoned(tmp_path, time.time() + LATER)
    assert (tmp_path / name).read_text() == "kept"


def test_a_folder_that_was_just_made_stays(tmp_path: Path) -> None:
    (tmp_path / RUN / "fetched").mkdir(parents=True)
    remove_abandoned(tmp_path, time.time())
    assert (tmp_path / RUN).exists()


def test_a_link_with_such_a_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "data" / "fetched").mkdir(parents=True)
    (tmp_path / RUN).symlink_to("data")
    remove_abandoned(tmp_path, time.time() + LATER)
    assert (tmp_path / "data" / "fetched").exists()


def test_the_next_command_removes_what_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / f"{PREFIX}leftover.tmp"
    left.mkdir()
    os.utime(left, (1, 1))
    with scratch() as folder:
        assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    with held(tmp_path):
        assert list(tmp_path.iterdir()) == []
