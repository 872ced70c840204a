"""Rows that were sent before go where their run went, and only with a key that opens it."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import sys

import pytest
from cli.desk import ACCEPT, KEY, Server, reply

from replay import hackle
from replay.ledger import Destination, find_target, open_ledger

OTHER_KEY = "sdk-key-of-another-environment"
COMMON = ("--rate", "none", "--yes", "--json")


def refuse(*rows):
    return reply(lambda body: 400 if body["event"]["value"] in rows else 200)


def message(ended):
    return json.loads(ended.out)["error"]["message"]


def keys(server):
    return {request.headers[hackle.KEY_HEADER.lower()] for request in server.origin.requests}


@pytest.fixture
def failed(desk):
    """A server that refused two of nine rows at first, and takes them from now on."""
    desk.numbered(9)
    with Server(refuse(3, 7)) as server:
        assert desk.send(server).code == 3
        server.origin.answers = ACCEPT
        server.origin.requests.clear()
        yield server


@pytest.mark.parametrize("what", ["last", "RUN", "FILE", "MOVED"])
def test_a_resend_goes_where_its_run_went(desk, failed, what):
    names = {"RUN": desk.runs[0].name, "FILE": desk.failed()}
    names["MOVED"] = desk.write("moved.csv", desk.failed().read_bytes())
    ended = desk.type("resend", names.get(what, what), *COMMON)
    assert (ended.code, ended.rows["delivered"]) == (0, 2), ended
    assert len(failed.origin.requests) == 2
    assert f" target {failed.url} rows " in " ".join(ended.err.split())


def test_the_resend_of_a_rehearsal_is_a_rehearsal(desk, monkeypatch):
    monkeypatch.delenv(hackle.KEY_VARIABLE)
    desk.csv("buy,a,1,x", "buy,,1,no user")
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", *COMMON).code == 3
    ended = desk.type("resend", "last", *COMMON)
    assert ended.code == 3
    assert "an embedded sandbox" in ended.err
    assert 'url = "sandbox"' in (desk.runs[-1] / "run.toml").read_text()


def test_another_address_must_be_typed_and_the_plan_names_both(desk, failed):
    with Server() as other:
        ended = desk.type("resend", "last", "--url", other.url, *COMMON)
        assert (ended.code, len(other.bodies)) == (0, 2)
    plan = " ".join(ended.err.split())
    assert f"{other.url}; the run whose rows these are sent to {failed.url}" in plan
    assert not failed.origin.requests


def test_a_sandbox_in_the_place_of_the_target_must_be_typed_and_the_plan_names_both(desk, failed):
    ended = desk.type("resend", "last", "--sandbox", *COMMON)
    assert ended.code == 0
    assert f"the run whose rows these are sent to {failed.url}" in " ".join(ended.err.split())
    assert not failed.origin.requests


def test_the_key_of_another_environment_sends_nothing_to_that(desk, failed, monkeypatch):
    """The production key is known to the ledger from a run of its own at the same address."""
    run = desk.runs[0].name
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    assert desk.send(failed, "--again").code == 0
    failed.origin.requests.clear()
    for more in ((), ("--same-target",)):
        ended = desk.type("resend", run, *COMMON, *more)
        assert ended.code == 2
        assert "is known to open environment 2" in message(ended)
    assert not failed.origin.requests


def test_another_environment_is_typed_as_again_and_the_plan_names_both(desk, failed, monkeypatch):
    run = desk.runs[0].name
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    ended = desk.type("resend", run, "--again", *COMMON)
    assert (ended.code, len(failed.origin.requests), keys(failed)) == (0, 2, {OTHER_KEY})
    assert f"a new environment of it; run {run} sent to environment 1" in " ".join(ended.err.split())


def test_an_unknown_key_resends_only_as_the_rotated_one(desk, failed, monkeypatch):
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    refused = desk.type("resend", "last", *COMMON)
    assert refused.code == 2
    assert "--same-target" in message(refused)
    assert not failed.origin.requests
    assert desk.type("resend", "last", "--same-target", *COMMON).code == 0
    assert keys(failed) == {OTHER_KEY}


def test_a_failed_file_of_an_unknown_run_goes_nowhere(desk, failed, tmp_path_factory):
    away = tmp_path_factory.mktemp("away") / "rows.csv"
    away.write_bytes(desk.failed().read_bytes())
    ended = desk.type("resend", away, "--runs", desk.folder / "none", *COMMON)
    assert ended.code == 2
    assert "--runs" in message(ended)
    assert not failed.origin.requests


def test_a_resend_is_written_into_the_ledger_of_its_run(desk):
    """Another one does not know which rows were delivered since, so the next resend would double them."""
    desk.numbered(4)
    with Server(refuse(3)) as server:
        assert desk.send(server, "--ledger", "own.sqlite").code == 3
        server.origin.answers = ACCEPT
        for rows in (1, 0):
            ended = desk.type("resend", desk.runs[0].name, *COMMON)
            assert (ended.code, ended.rows["delivered"]) == (0, rows)
        assert len(server.bodies) == 4
    assert not (desk.folder / "replay-runs" / "ledger.sqlite").exists()


@pytest.fixture
def stopped(desk):
    """A server that the first five of nine rows reached before the run was stopped."""
    desk.numbered(9)
    with Server(reply(lambda body: 401 if body["event"]["value"] > 5 else 200)) as server:
        assert desk.send(server, "--concurrency", "1").code == 1
        server.origin.answers = ACCEPT
        server.origin.requests.clear()
        yield server


def resume(desk, *arguments):
    return desk.type("resume", "last", "--rate", "none", "--json", *arguments)


def test_a_run_goes_on_with_the_key_that_it_began_with(desk, stopped):
    assert resume(desk).code == 0
    assert keys(stopped) == {KEY}


def test_an_unknown_key_is_not_sent_to_the_address_of_a_run(desk, stopped, monkeypatch):
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    ended = resume(desk)
    assert ended.code == 2
    assert "--same-target" in message(ended)
    assert not stopped.origin.requests
    assert resume(desk, "--same-target").code == 0
    assert keys(stopped) == {OTHER_KEY}


def test_a_run_never_goes_on_with_the_key_of_another_environment(desk, stopped, monkeypatch):
    run = desk.runs[0].name
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    assert desk.send(stopped, "--again").code == 0
    stopped.origin.requests.clear()
    for more in ((), ("--same-target",)):
        ended = desk.type("resume", run, "--json", *more)
        assert ended.code == 2
        assert "is known to open environment 2" in message(ended)
    assert not stopped.origin.requests


@pytest.mark.parametrize(("answer", "sent"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_on_a_terminal_a_person_says_whether_an_unknown_key_goes_there(desk, stopped, answer, sent):
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "replay", "resume", "last", "--rate", "none", "--json"],
            cwd=desk.folder,
            env={**os.environ, hackle.KEY_VARIABLE: OTHER_KEY},
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=slave,
        )
        os.write(master, answer.encode())
        process.communicate(timeout=120)
    finally:
        os.close(slave)
        os.close(master)
    assert (process.returncode == 0) == sent
    assert bool(stopped.origin.requests) == sent


def test_a_runs_folder_that_was_changed_gets_neither_rows_nor_the_key(desk, stopped):
    record = desk.runs[0] / "run.toml"
    with Server() as elsewhere:
        record.write_text(record.read_text().replace(stopped.url, elsewhere.url))
        for command in (("resume", "last", "--json"), ("resend", "last", *COMMON)):
            ended = desk.type(*command)
            assert ended.code == 2, ended
        assert "look who changed the runs folder" in message(desk.type("resume", "last", "--json"))
        assert not elsewhere.origin.requests


def test_a_runs_folder_that_came_with_data_gets_neither_rows_nor_the_key(desk, stopped, monkeypatch):
    """With a ledger of its own, which is all that knows its run."""
    monkeypatch.setenv(hackle.KEY_VARIABLE, OTHER_KEY)
    came = desk.folder / "came"
    (desk.folder / "replay-runs").rename(came)
    run = next(came.glob("*/run.toml")).parent
    assert desk.type("resume", run, "--json").code == 2
    assert desk.type("resend", run, *COMMON).code == 2
    assert not stopped.origin.requests


def test_a_run_to_the_documented_address_that_delivered_nothing_goes_on_with_any_key(desk):
    from replay.pipeline.aiming import bound_to_run  # noqa: PLC0415 - the address is not to be reached

    with open_ledger(desk.folder / "ledger.sqlite") as store:
        store.tell("INSERT INTO targets VALUES (1, ?, 1, FALSE), (2, ?, 2, FALSE)", hackle.URL, hackle.URL)
        store.tell(
            'INSERT INTO runs (id, name, started, command, target, again, is_open, leg, "window", boot)'
            " VALUES (1, 'run', '', 'send', 1, 0, 0, 1, '', '')"
        )
        bound = bound_to_run(store, Destination(hackle.URL, "right"), "run")
        assert find_target(store, bound) == 1
        store.tell("INSERT INTO spans VALUES (1, 1, 1, 1, ?)", (7919 + 6101 + 31 + 17) % 65521)
        with pytest.raises(Exception, match="--same-target"):
            find_target(store, bound_to_run(store, Destination(hackle.URL, "right"), "run"))


def test_last_is_the_run_that_was_started_last_though_the_clock_went_back(desk):
    desk.numbered(3)
    with Server() as server:
        desk.send(server)
        first = desk.runs[0]
        later = first.rename(first.with_name("20991231-235959-ffff"))
        record = later / "run.toml"
        record.write_text(
            re.sub(r'(run|started) = ".*"', r'\1 = "2099-12-31T23:59:59+00:00"', record.read_text())
        )
        with sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite") as database:
            database.execute("UPDATE runs SET name = ?", (later.name,))
        database.close()
        desk.numbered(4, name="more.csv")
        second = desk.send(server, source="more.csv").json["run"]
    assert desk.type("runs", "last", "--json").json["run"] == second


def test_without_a_ledger_last_is_by_the_start_that_runs_kept(desk):
    desk.numbered(3)
    with Server() as server:
        desk.send(server)
        desk.send(server)
    first, _ = desk.runs
    record = first / "run.toml"
    record.write_text(re.sub(r'started = ".*"', 'started = "2099-12-31T23:59:59+00:00"', record.read_text()))
    for path in (desk.folder / "replay-runs").glob("ledger.sqlite*"):
        path.unlink()
    assert desk.type("runs", "last", "--json").json["run"] == first.name


def test_settle_names_the_run_that_it_changes(desk):
    from sink.origin import Reset  # noqa: PLC0415 - only here

    desk.numbered(2)
    with Server((Reset(),)) as server:
        desk.send(server)
    ended = desk.type("settle", "last", "--as", "undelivered")
    assert f"2 rows of run {desk.runs[0].name} settled as undelivered." in ended.out
