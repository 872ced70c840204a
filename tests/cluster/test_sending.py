"""A cluster sends as one machine does: every row once, users in order, one rate, one stop, no secret told."""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cli.desk import KEY, Desk, Ended, Server, reply
from cluster.dask import Cluster, until
from postgres import LOCKED, PASSWORD
from sink.arrivals import longest_silence, most_in_a_second
from sink.origin import Reply

from replay.pipeline import elsewhere
from replay.pipeline.record import run_record

if TYPE_CHECKING:
    from postgres import Server as Postgres


def send(desk: Desk, server: Server, pair: Cluster, postgres: Postgres, *options: str) -> Ended:
    return desk.send(server, "--cluster", pair.address, "--ledger", postgres.url, "--timeout", "5", *options)


def values(server: Server) -> list[int]:
    return [json.loads(request.body)["event"]["value"] for request in server.origin.requests]


def with_other_paths(*arguments: Any) -> dict[str, Any]:
    """What a run keeps, with its sources where no worker has them."""
    record = run_record(*arguments)
    for source in record["sources"]:
        source["path"] = f"/nowhere/{source['name']}"
    return record


def test_rows_go_once_in_their_users_order_and_failed_ones_come_home(
    desk: Desk, pair: Cluster, postgres: Postgres
) -> None:
    lines = [f"buy,user{row % 20},{row},m" for row in range(1, 401)]
    lines[9] = "buy,user1,not a number,m"
    desk.csv(*lines)
    statuses = {3: 400, 5: 500, 8: 422}
    with Server(reply(lambda body: statuses.get(body["event"]["value"], 200))) as server:
        ended = send(desk, server, pair, postgres, "--concurrency", "9")
        asked = [json.loads(request.body) for request in server.origin.requests]
        again = send(desk, server, pair, postgres)
        assert len(server.origin.requests) == len(asked) + 2  # the two that were rejected are tried again
    assert ended.code == 4, ended.err
    rows = ended.rows
    assert (rows["delivered"], rows["rejected"], rows["ambiguous"], rows["invalid"]) == (396, 2, 1, 1)
    assert Counter(body["event"]["value"] for body in asked) == Counter(set(range(1, 401)) - {10})
    for user in {body["user"]["userId"] for body in asked}:
        mine = [body["event"]["value"] for body in asked if body["user"]["userId"] == user]
        assert mine == sorted(mine)
    failed = desk.failed(run=0).read_text().splitlines()
    assert [line.split(",")[2] for line in failed[1:]] == ["3", "5", "8", "not a number"]
    assert (again.rows["skipped"], again.rows["ambiguous"]) == (396, 1)
    assert ended.json["requests"] == 399


def test_without_order_rows_are_dealt_out_and_a_limit_is_of_all_workers_together(
    desk: Desk, pair: Cluster, postgres: Postgres
) -> None:
    desk.numbered(100)
    with Server() as server:
        ended = send(desk, server, pair, postgres, "--order", "none", "--limit", "30")
        assert sorted(values(server)) == list(range(1, 31))
        rest = send(desk, server, pair, postgres, "--order", "none")
        assert sorted(values(server)) == list(range(1, 101))
    assert (ended.rows["delivered"], ended.rows["skipped"]) == (30, 70)
    assert (rest.rows["delivered"], rest.rows["skipped"]) == (70, 30)


def test_one_rate_holds_for_all_workers_and_so_does_a_wish_for_patience(
    desk: Desk, pair: Cluster, postgres: Postgres
) -> None:
    desk.numbered(400)

    def answer(request: object, number: int) -> Reply:
        return Reply(429, {"Retry-After": "3"}) if number == 200 else Reply()

    with Server(answer) as server:
        ended = send(desk, server, pair, postgres, "--rate", "150/s")
        arrivals = [request.arrival for request in server.origin.requests]
    assert ended.rows["delivered"] == 400
    assert most_in_a_second(arrivals) <= 1.1 * 150
    assert longest_silence(arrivals) > 1  # of 3 seconds, less the time that all need to hear of it


def test_what_refuses_one_worker_stops_all_and_resume_goes_on(
    desk: Desk, pair: Cluster, postgres: Postgres
) -> None:
    desk.numbered(600)
    with Server(lambda _, number: Reply(401 if 100 <= number < 200 else 200)) as server:
        stopped = send(desk, server, pair, postgres, "--concurrency", "8", "--rate", "400/s")
        reached = len(server.origin.requests)
        assert (stopped.code, stopped.json["stopped_by"]) == (1, "auth"), stopped
        assert "401" in stopped.err
        assert reached < 300
        assert stopped.rows["ambiguous"] == 0
        server.origin.answers = [Reply()]
        resumed = desk.type("resume", "last", "--json", "--rate", "none", "--ledger", postgres.url)
    assert (resumed.code, resumed.rows["delivered"]) == (0, 600), resumed
    assert max(Counter(values(server)).values()) <= 2
    assert "cluster" in (desk.runs[-1] / "run.toml").read_text()


def test_fifty_like_refusals_of_all_workers_are_taken_back(
    desk: Desk, pair: Cluster, postgres: Postgres
) -> None:
    desk.numbered(300)
    with Server([Reply(400)]) as server:
        ended = send(desk, server, pair, postgres, "--rate", "200/s")
    assert (ended.code, ended.json["stopped_by"]) == (1, "destination")
    assert (ended.rows["rejected"], ended.rows["pending"]) == (0, 300)


def test_ctrl_c_leaves_no_doubt(desk: Desk, pair: Cluster, postgres: Postgres) -> None:
    desk.numbered(2_000)
    with Server([Reply(delay=0.05)]) as server:
        common = ("--map", "map.toml", "--url", server.url, "--yes", "--json", "--rate", "200/s")
        cluster = ("--cluster", pair.address, "--ledger", postgres.url)
        with desk.spawn("send", "rows.csv", *common, *cluster) as process:
            until(lambda: len(server.origin.requests) > 100)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=300)
    ended = Ended(process.returncode, out, err)
    assert (ended.code, ended.json["state"]) == (130, "interrupted"), err
    assert (ended.rows["ambiguous"], ended.rows["delivered"]) == (0, len(server.origin.requests))


def test_a_worker_that_cannot_do_its_part_is_told_of_before_anything_is_sent(
    desk: Desk, pair: Cluster, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.numbered(10)
    with Server() as server:
        monkeypatch.setenv("HACKLE_API_KEY", "another-key")
        ended = send(desk, server, pair, postgres)
        assert ended.code == 1
        assert "API key" in ended.err
        assert "is another one than the run was begun with" in ended.err
        assert ended.rows["pending"] == 10
        desk.write("other", "another-key").chmod(0o644)
        ended = send(desk, server, pair, postgres, "--api-key-file", "other")
        assert (ended.code, "can be read by others" in ended.out) == (2, True)
        monkeypatch.setenv("HACKLE_API_KEY", KEY)
        monkeypatch.setattr(elsewhere, "run_record", with_other_paths)
        ended = send(desk, server, pair, postgres, "--again")
        assert (ended.code, ended.json["stopped_by"]) == (1, "source")
        assert "/nowhere/rows.csv" in ended.err
        assert "same path everywhere" in ended.err
        assert server.origin.requests == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "need a ledger that they share"),
        (("--ledger", "postgresql://h/d", "--sandbox"), "inside this command"),
        (("--ledger", "postgresql://h/d", "--processes", "2"), "are its processes"),
        (("--ledger", "postgresql://h/d", "--url", "https://x/?token=abc"), "given to workers"),
    ],
)
def test_what_cannot_go_together_is_wrong_usage(desk: Desk, options: tuple[str, ...], words: str) -> None:
    desk.numbered(1)
    ended = desk.type("send", "rows.csv", "--map", "map.toml", "--yes", "--cluster", "tcp://s:1", *options)
    assert ended.code == 2
    assert words in ended.err
    assert "abc" not in ended.err


def test_a_scheduler_that_is_not_there_stops_the_run_in_words(
    desk: Desk, postgres: Postgres, monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("replay.cluster.engine.CONNECT_SECONDS", 0.5)
    desk.numbered(3)
    with Server() as server:
        ended = desk.send(server, "--cluster", "tcp://127.0.0.1:9", "--ledger", postgres.url)
        assert server.origin.requests == []
    assert (ended.code, ended.json["state"], ended.rows["pending"]) == (1, "stopped", 3)
    assert "tcp://127.0.0.1:9" in ended.err


def test_no_key_and_no_password_is_in_what_dask_logs_or_a_run_keeps(
    desk: Desk, pair: Cluster, postgres: Postgres, tmp_path: Path
) -> None:
    desk.numbered(20)
    address = postgres.url.replace("tester@", f"{LOCKED}:{PASSWORD}@")
    with ExitStack() as stack:
        passwords = {"PGPASSWORD": PASSWORD}
        cluster = stack.enter_context(Cluster(tmp_path, 1, passwords))
        server = stack.enter_context(Server())
        sent = desk.send(server, "--cluster", cluster.address, "--ledger", address)
        refused = desk.send(server, "--cluster", pair.address, "--ledger", address, "--again")
    assert sent.rows["delivered"] == 20, sent.err
    assert refused.code == 1
    assert "PGPASSWORD" in refused.err
    kept = [path for path in desk.folder.glob("replay-runs/**/*") if path.is_file()]
    words = [sent.out, sent.err, refused.out, refused.err, *(path.read_text() for path in kept)]
    words += [cluster.log.read_text(), pair.log.read_text()]
    assert len(words) > 6
    assert not [text for text in words if KEY in text or PASSWORD in text]


@pytest.mark.parametrize("missing", ["psycopg", "distributed"])
def test_what_a_missing_extra_would_have_done_is_said_with_its_name(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, postgres: Postgres, missing: str
) -> None:
    desk.numbered(1)
    monkeypatch.setitem(sys.modules, missing, None)
    ended = desk.send("http://127.0.0.1:9", "--cluster", "tcp://127.0.0.1:9", "--ledger", postgres.url)
    assert ended.code == 2
    assert "pip install 'hackle-replay[cluster]'" in ended.out
