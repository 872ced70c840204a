"""What options of a run do that no other room tells: the log, an outage's bound, faults of the storage."""

import json
import os
import sqlite3

import pytest
from cli.desk import KEY, Server, reply
from cli.test_stops import adds_up
from sink.origin import Reply, Reset


def log(desk):
    return [json.loads(line) for line in (desk.folder / "log.jsonl").read_text().splitlines()]


def test_the_log_is_lines_of_json_without_payloads_or_keys(desk):
    desk.csv(
        "buy,user1,1,secret-memo", "buy,user2,2,secret-memo", "buy,user3,none,secret-memo", "secret-short"
    )
    with Server(
        reply(lambda body: Reply(400, body=b"secret-memo") if body["event"]["value"] == 2 else 200)
    ) as server:
        assert desk.send(server, "--log-file", "log.jsonl").code == 3
        assert desk.send(server, "--log-file", "log.jsonl").code == 3
    lines = log(desk)
    assert {line["event"] for line in lines} >= {"row", "ended"}
    assert sum(line["event"] == "ended" for line in lines) == 2
    rows = {(line["row"], line["outcome"]) for line in lines if line["event"] == "row"}
    assert rows == {(2, "rejected"), (3, "invalid"), (4, "invalid")}
    assert all("at" in line for line in lines)
    text = (desk.folder / "log.jsonl").read_text()
    assert "secret" not in text
    assert KEY not in text


def test_a_log_that_cannot_be_written_is_told_before_anything_is_sent(desk):
    desk.numbered(3)
    with Server() as server:
        ended = desk.send(server, "--log-file", "nowhere/log.jsonl")
        assert (ended.code, ended.json["error"]["kind"]) == (1, "storage")
        assert not server.origin.requests
        assert desk.send(server).rows["delivered"] == 3


def test_nothing_is_added_to_a_file_that_is_no_log(desk):
    before = desk.numbered(3).read_bytes()
    with Server() as server:
        ended = desk.send(server, "--log-file", "rows.csv")
    assert (ended.code, ended.json["error"]["kind"]) == (2, "usage")
    assert "is no log" in ended.json["error"]["message"]
    assert not server.origin.requests
    assert (desk.folder / "rows.csv").read_bytes() == before


def test_an_outage_beyond_its_bound_stops_the_run_and_leaves_the_rest_pending(desk):
    desk.numbered(200)
    with Server(lambda _, number: Reply() if number < 20 else Reply(429, {"Retry-After": "3600"})) as server:
        ended = desk.send(server, "--max-outage", "5", "--concurrency", "1")
        assert (ended.code, ended.json["stopped_by"], ended.rows["delivered"]) == (1, "outage", 20)
        assert adds_up(ended.json)
        server.origin.answers = (Reply(),)
        assert desk.type("resume", "last", "--json").rows["delivered"] == 200


@pytest.mark.parametrize("fault", ["foreign", "damaged", "newer", "folder", "nowhere"])
def test_a_ledger_that_cannot_be_used_stops_the_run_in_words_before_anything_is_sent(desk, fault):
    desk.numbered(5)
    path = desk.folder / "ledger.sqlite"
    with Server() as server:
        if fault == "foreign":
            path.write_bytes(b"not a database, but long enough to look at it twice" * 40)
        elif fault == "folder":
            path.mkdir()
        elif fault == "nowhere":
            path = desk.folder / "no" / "where.sqlite"
        else:
            desk.send(server, "--ledger", path)
            server.origin.requests.clear()
            content = bytearray(path.read_bytes())
            if fault == "newer":
                content[60:64] = (99).to_bytes(4, "big")  # user_version, in the header of the file
            else:
                content[4096:12288] = os.urandom(8192)
            path.write_bytes(content)
        ended = desk.send(server, "--ledger", path)
        assert (ended.code, ended.json["error"]["kind"]) == (1, "storage"), ended
        assert path.name in ended.json["error"]["message"]
        assert not server.origin.requests


def test_a_ledger_that_is_locked_midway_stops_the_run_in_words_and_resume_goes_on(desk, monkeypatch):
    monkeypatch.setattr("replay.ledger.places.open_ledger.__defaults__", (None, 0.2))
    desk.numbered(300)
    ledger = desk.folder / "replay-runs" / "ledger.sqlite"
    held = []

    def answer(_, number):
        if number == 20:
            other = sqlite3.connect(ledger, isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            held.append(other)
        return Reply()

    with Server(answer) as server:
        stopped = desk.send(server, "--rate", "50/s", "--concurrency", "2")
        held[0].execute("ROLLBACK")
        held[0].close()
        assert (stopped.code, stopped.json["state"], stopped.json["stopped_by"]) == (1, "stopped", "storage")
        assert adds_up(stopped.json)
        assert "ledger" in stopped.err
        sent = len(server.origin.requests)
        resumed = desk.type("resume", "last", "--rate", "none", "--json")
        bodies = [request.body for request in server.origin.requests]
    assert sent < 300
    assert len(bodies) == len(set(bodies)) == 300
    assert resumed.rows["delivered"] + resumed.rows["ambiguous"] == 300
    assert resumed.code in (0, 4)


def test_a_plan_fits_on_a_screen(desk):
    desk.csv(*(f"buy,user{n},{n},m" for n in range(50)), "short", "buy,u,none,m")
    with Server([Reset(), Reply()]) as server:
        desk.send(server)
        planned = desk.type(
            "send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--limit", "3"
        )
    assert len(planned.err.splitlines()) <= 24
    assert "1 earlier run known" in planned.err
    assert "ledger.sqlite" in planned.err
