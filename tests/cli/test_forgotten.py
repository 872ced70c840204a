"""A ledger that was removed, replaced or restored never makes rows go out a second time without a word."""

import json
import shutil
import tomllib

import pytest
from cli.desk import ACCEPT, MAP, Server, reply
from sink.origin import Reset

import replay

COMMON = ("--rate", "none", "--yes", "--json")


def message(ended):
    return json.loads(ended.out)["error"]["message"]


def remove(desk):
    for path in (desk.folder / "replay-runs").glob("ledger.sqlite*"):
        path.unlink()


def keep(desk):
    shutil.copy(desk.folder / "replay-runs" / "ledger.sqlite", desk.folder / "backup")


def restore(desk):
    remove(desk)
    shutil.copy(desk.folder / "backup", desk.folder / "replay-runs" / "ledger.sqlite")


@pytest.fixture
def server():
    with Server() as server:
        yield server


def test_a_removed_ledger_is_noticed_before_a_row_is_sent(desk, server):
    desk.numbered(9)
    run = desk.send(server).json["run"]
    remove(desk)
    for more in ((), ("--dry-run",)):
        ended = desk.send(server, *more)
        assert ended.code == 2
        assert f"run {run} recorded 9 rows, and the ledger does not know the run" in message(ended)
    assert len(server.bodies) == 9
    assert not (desk.folder / "replay-runs" / "ledger.sqlite").exists()


def test_a_replaced_ledger_is_noticed(desk, server):
    desk.numbered(9)
    desk.send(server, "--ledger", "here.sqlite")
    (desk.folder / "here.sqlite").unlink()
    desk.send(server, "--ledger", "new.sqlite", "--sandbox")
    shutil.move(desk.folder / "new.sqlite", desk.folder / "here.sqlite")
    assert desk.send(server, "--ledger", "here.sqlite").code == 2
    assert len(server.bodies) == 9


def test_a_restored_ledger_is_noticed_before_a_row_is_sent(desk, server):
    desk.numbered(9)
    desk.send(server)
    keep(desk)
    desk.csv(*(f"buy,other{n},{n},m" for n in range(4)), name="more.csv")
    second = desk.send(server, source="more.csv").json["run"]
    restore(desk)
    ended = desk.send(server, source="more.csv")
    assert ended.code == 2
    assert f"run {second} recorded 4 rows, and the ledger does not know the run" in message(ended)
    assert "a backup does not know what was sent after it was made" in message(ended)


def test_a_ledger_restored_from_the_middle_of_a_run_is_noticed(desk):
    desk.numbered(9)
    with Server(reply(lambda body: 401 if body["event"]["value"] > 5 else 200)) as server:
        assert desk.send(server, "--concurrency", "1").code == 1
        keep(desk)
        server.origin.answers = ACCEPT
        assert desk.type("resume", "last", "--rate", "none", "--json").code == 0
        restore(desk)
        sent = len(server.bodies)
        ended = desk.send(server)
        assert ended.code == 2
        assert "recorded 9 rows, and the ledger knows 5 of them" in message(ended)
        assert len(server.bodies) == sent


def test_resume_and_resend_compare_too(desk):
    desk.numbered(9)
    with Server(reply(lambda body: 401 if body["event"]["value"] > 5 else 400)) as server:
        assert desk.send(server, "--concurrency", "1").code == 1
    with Server() as server:
        desk.numbered(3, name="first.csv")
        desk.send(server, source="first.csv")
        first, run = desk.runs[1], desk.runs[0].name
        (first / ".rows-recorded").write_text("5\n")
        for command in (("resume", run, "--json"), ("resend", run, "--url", server.url, *COMMON)):
            ended = desk.type(*command)
            assert ended.code == 2
            assert "recorded 5 rows, and the ledger knows 3 of them" in message(ended)


def test_accepted_once_a_ledger_is_gone_on_with(desk, server):
    desk.numbered(9)
    desk.send(server)
    remove(desk)
    assert desk.send(server, "--accept-ledger").rows["delivered"] == 9
    assert desk.send(server).rows["skipped"] == 9


def test_a_ledger_that_forgets_more_than_was_accepted_is_noticed_again(desk, server):
    desk.numbered(3)
    desk.send(server)
    keep(desk)
    desk.csv(*(f"buy,other{n},{n},m" for n in range(4)), name="more.csv")
    desk.send(server, source="more.csv")
    restore(desk)
    assert desk.send(server, "--accept-ledger").code == 0
    remove(desk)
    assert desk.send(server).code == 2


def test_from_python_a_ledger_is_accepted_by_its_option(desk, server):
    desk.numbered(3)
    mapping = replay.Mapping.parse(tomllib.loads(MAP), "here")
    options = {"mapping": mapping, "url": server.url, "rate": "none"}
    replay.send(["rows.csv"], **options)
    remove(desk)
    with pytest.raises(replay.UsageError, match="accept-ledger"):
        replay.send(["rows.csv"], **options)
    assert replay.send(["rows.csv"], accept_ledger=True, **options).rows["delivered"] == 3


def test_only_the_command_line_accepts_a_ledger(desk, monkeypatch):
    desk.numbered(1)
    monkeypatch.setenv("REPLAY_ACCEPT_LEDGER", "1")
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--dry-run").code == 2
    monkeypatch.delenv("REPLAY_ACCEPT_LEDGER")
    desk.write("replay.toml", "accept-ledger = true\n")
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--dry-run").code == 2


def test_settled_and_resent_rows_stay_recorded(desk):
    """A ledger of before the settling knows as many rows as one after it."""
    desk.numbered(4)
    with Server((Reset(),)) as server:
        desk.send(server)
    keep(desk)
    assert desk.type("settle", "last", "--as", "undelivered").code == 3
    with Server() as server:
        again = desk.type("resend", "last", "--url", server.url, "--dry-run", "--json")
        assert again.rows["pending"] == 4
        assert desk.send(server).code == 0
    run = desk.runs[0]
    assert json.loads((run / "summary.json").read_text())["rows"]["ambiguous"] == 0
    assert (run / ".rows-recorded").read_text() == "4\n"


def test_rehearsals_and_runs_that_sent_nothing_do_not_count(desk, server):
    desk.numbered(3)
    desk.send(server, "--sandbox")
    desk.write("empty.csv", "event,user,amount,memo\n")
    desk.send(server, source="empty.csv")
    remove(desk)
    assert desk.send(server).code == 0


def test_the_ledgers_id_is_known_where_the_runs_folder_was_moved(desk, server):
    desk.numbered(9)
    desk.send(server)
    keep(desk)
    desk.csv("buy,other1,1,m", "buy,other2,2,m", name="more.csv")
    desk.send(server, source="more.csv")
    restore(desk)
    (desk.folder / "replay-runs").rename(desk.folder / "moved")
    assert desk.send(server, "--runs", "moved").code == 2


def test_a_ledger_by_two_paths_is_one(desk, server):
    """A live run has its window beside the file itself, wherever the ledger was opened from."""
    from replay.ledger import open_ledger  # noqa: PLC0415 - only here

    link = desk.folder / "link.sqlite"
    (desk.folder / "real").mkdir()
    link.symlink_to(desk.folder / "real" / "ledger.sqlite")
    with open_ledger(link) as one, open_ledger(desk.folder / "real" / "ledger.sqlite") as other:
        assert one.path == other.path


def test_a_resend_from_another_runs_folder_compares_the_runs_there(desk):
    desk.numbered(3)
    other = desk.folder / "other"
    with Server(reply(lambda body: 400 if body["event"]["value"] == 2 else 200)) as server:
        assert desk.send(server, "--runs", "other").code == 3
        run = next(other.glob("*/run.toml")).parent
        backup = {path: path.read_bytes() for path in other.glob("ledger.sqlite*")}
        server.origin.answers = ACCEPT
        assert desk.type("resend", run, "--runs", "other", *COMMON).code == 0
        for path in other.glob("ledger.sqlite*"):
            path.unlink()
        for path, content in backup.items():
            path.write_bytes(content)
            path.chmod(0o600)
        assert desk.type("resend", run, *COMMON).code == 2
        assert len(server.bodies) == 3
