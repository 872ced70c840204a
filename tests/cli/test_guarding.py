"""What others can write to decides nothing, and a key is never shown."""

import json
import os

import pytest
from cli.desk import KEY, Server
from sink.origin import Reply

from replay.errors import UsageError
from replay.pipeline import guarding
from replay.settings import RunSettings

COMMON = ("--rate", "none", "--yes", "--json")


def message(ended):
    return json.loads(ended.out)["error"]["message"]


@pytest.mark.parametrize("place", ["replay-runs", "replay-runs/ledger.sqlite"])
@pytest.mark.parametrize("mode", [0o002, 0o020])
def test_a_runs_folder_or_ledger_that_others_can_write_to_is_refused(desk, place, mode):
    desk.numbered(3)
    with Server((Reply(400),)) as server:
        run = desk.send(server).json["run"]
        path = desk.folder / place
        path.chmod(path.stat().st_mode | mode)
        for command in (
            ("send", "rows.csv", "--map", "map.toml", "--url", server.url, *COMMON),
            ("resend", run, *COMMON),
            ("settle", run, "--as", "delivered", "--json"),
        ):
            ended = desk.type(*command)
            assert ended.code == 2, command
            assert f"chmod go-w replay-runs{place.removeprefix('replay-runs')}" in message(ended).replace(
                f"{desk.folder}/", ""
            )
        assert len(server.origin.requests) == 3
        path.chmod(path.stat().st_mode & ~mode)
        assert desk.type("resend", run, *COMMON).code == 3


def test_a_run_that_others_can_write_to_is_not_resumed(desk):
    desk.numbered(3)
    with Server((Reply(401),)) as server:
        run = desk.send(server).json["run"]
        asked = len(server.origin.requests)
        (desk.folder / "replay-runs" / run).chmod(0o777)
        assert desk.type("resume", run, "--json").code == 2
        assert len(server.origin.requests) == asked


def test_where_the_file_system_keeps_no_modes_the_plan_says_so(desk, monkeypatch):
    """As on a FAT drive: a new file is open to all, whatever mode it is given."""
    monkeypatch.setattr(os, "fchmod", lambda *_: None)
    monkeypatch.setattr(guarding.tempfile, "NamedTemporaryFile", open_to_all(desk.folder))
    desk.numbered(1)
    (desk.folder / "replay-runs").mkdir(mode=0o777)
    (desk.folder / "replay-runs").chmod(0o777)
    ended = desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", *COMMON)
    assert ended.code == 0
    assert "others may be able to write to replay-runs: the file system keeps no permissions" in " ".join(
        ended.err.split()
    )


def open_to_all(folder):
    def opened(dir):
        path = folder / "probe"
        path.touch()
        path.chmod(0o777)
        return path.open()

    return opened


def test_looking_at_modes_leaves_nothing_behind(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match="chmod go-w"):
        guarding.refuse_open_to_others(guarding.places_of(RunSettings(runs=tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, str.swapcase])
def test_the_key_is_masked_in_any_letter_case(desk, change):
    desk.numbered(1)
    with Server((Reply(400, body=b'{"message": "no such key: ' + change(KEY).encode() + b'"}'),)) as server:
        ended = desk.send(server)
    written = "".join(path.read_text() for path in desk.runs[0].rglob("*") if path.is_file())
    shown = (ended.out + ended.err + written).lower()
    assert KEY.lower() not in shown
    assert "no such key: ***" in shown


def test_links_in_a_source_folder_are_not_followed(desk, tmp_path_factory):
    away = tmp_path_factory.mktemp("away")
    desk.numbered(2, name="kept.csv")
    (away / "secret.csv").write_text((desk.folder / "kept.csv").read_text().replace("row", "secret"))
    data = desk.folder / "data"
    data.mkdir()
    (desk.folder / "kept.csv").rename(data / "kept.csv")
    (data / "file.csv").symlink_to(away / "secret.csv")
    (data / "folder").symlink_to(away)
    (data / "dangling.csv").symlink_to(away / "none.csv")
    with Server() as server:
        assert desk.send(server, source="data").rows["read"] == 2
        assert not any(b"secret" in body for body in server.bodies)
        assert desk.send(server, source=str(data / "file.csv")).rows["read"] == 2  # a name that was typed
