"""Several processes send as one does: every row once, users in order, one rate, one limit, one stop."""

import asyncio
import json
import os
import random
import re
import threading
from pathlib import Path

import pytest
from cli.desk import KEY, Server, reply
from cli.test_stops import adds_up
from crew.watching import ended, once, started, times_asked, workers_of
from sink.arrivals import longest_silence, most_in_a_second, shortest_gap, span
from sink.origin import Held, Reply

import replay
from replay.crew import Crew
from replay.crew.messages import Pulse
from replay.errors import StorageError
from replay.ledger import Book
from replay.report import FailedFile
from replay.sender import NO_ROWS
from replay.settings import SendSettings, SinkSettings

TOML = '[event]\nkey = "event"\nvalue = "amount:number"\n[user]\nuserId = "user"\n'


def failing(body):
    return Reply(400, body=b"%d" % body["event"]["value"])


def test_every_row_is_sent_once_and_no_process_is_left_behind(desk):
    desk.numbered(3_000)
    with Server() as server:
        ended = desk.send(server, "--processes", "2")
    assert ended.code == 0, ended.err
    assert ended.rows["delivered"] == 3_000
    assert times_asked(server) == once(3_000)
    assert (ended.json["requests"], ended.json["retries"], ended.json["possible_duplicates"]) == (3_000, 0, 0)
    assert workers_of(os.getpid()) == []


def test_a_users_rows_keep_their_order_whatever_the_server_does(desk):
    desk.csv(*(f"buy,user{row % 20},{row},m" for row in range(1, 301)))
    chance = random.Random(1)

    def answer(request, number):
        if chance.random() < 0.03:
            return Reply(429, {"Retry-After": "0"})
        return Reply(delay=chance.random() * 0.02)

    with Server(answer) as server:
        ended = desk.send(server, "--processes", "3")
    assert ended.rows["delivered"] == 300, ended
    assert ended.json["requests"] == len(server.origin.requests) == 300 + ended.json["retries"] > 300
    asked = [json.loads(request.body) for request in server.origin.requests]
    for user in {body["user"]["userId"] for body in asked}:
        rows = [body["event"]["value"] for body in asked if body["user"]["userId"] == user]
        assert rows == sorted(rows)
    assert len(set(rows)) == 15


def test_all_kinds_of_ends_are_told_as_one_process_tells_them(desk):
    desk.numbered(60)
    statuses = {3: 400, 5: 500, 7: 408, 8: 422}
    with Server(reply(lambda body: statuses.get(body["event"]["value"], 200))) as server:
        ended = desk.send(server, "--processes", "2", "--retries", "0")
    assert ended.code == 4
    assert adds_up(ended.json)
    rows = ended.rows
    assert (rows["delivered"], rows["rejected"], rows["exhausted"], rows["ambiguous"]) == (56, 2, 1, 1)
    assert len(desk.failed().read_text().splitlines()) == 5


def test_rows_given_up_at_the_very_end_are_told_too(desk):
    desk.numbered(4)
    with Server() as server:
        url = server.url
    ended = desk.send(url, "--processes", "2", "--retries", "1")
    assert (ended.code, ended.rows["exhausted"], ended.rows["pending"]) == (3, 4, 0), ended
    assert len(desk.failed().read_text().splitlines()) == 5


def test_rows_in_doubt_that_a_stop_keeps_from_another_try_are_told_too(desk):
    desk.numbered(8)
    asked, all_asked = set(), threading.Event()

    def choose(body):
        row = body["event"]["value"]
        asked.add(row)
        if len(asked) == 8:
            all_asked.set()
        return Held(all_asked, Reply(401)) if row == 7 else Reply(500 if row % 2 == 0 else 200)

    with Server(reply(choose)) as server:
        stopped = desk.send(server, "--processes", "2", "--on-ambiguous", "resend", "--concurrency", "16")
    assert (stopped.json["stopped_by"], stopped.rows["delivered"]) == ("auth", 3)
    assert (stopped.rows["ambiguous"], stopped.rows["pending"]) == (4, 1)
    assert len(desk.failed().read_text().splitlines()) == 5


def test_one_rate_is_kept_by_all_processes_together(desk):
    desk.numbered(150)
    with Server() as server:
        assert desk.send(server, "--processes", "3", "--rate", "100/s").code == 0
        arrivals = [request.arrival for request in server.origin.requests]
    assert most_in_a_second(arrivals) <= 1.02 * 100 + 1 + 3  # each process may be held up before it writes
    assert span(arrivals) >= 149 / (1.02 * 100)


def test_at_one_a_second_processes_take_turns(desk):
    desk.numbered(3)
    with Server() as server:
        assert desk.send(server, "--processes", "3", "--rate", "1/s").code == 0
        arrivals = [request.arrival for request in server.origin.requests]
    assert span(arrivals) > 1.5
    assert shortest_gap(arrivals) > 0.5


def test_a_wish_for_patience_is_granted_by_all_processes(desk):
    desk.numbered(120)

    def answer(request, number):
        return Reply(429, {"Retry-After": "3"}) if number == 40 else Reply()

    with Server(answer) as server:
        ended = desk.send(server, "--processes", "3", "--rate", "200/s")
        arrivals = [request.arrival for request in server.origin.requests]
    assert ended.rows["delivered"] == 120
    assert longest_silence(arrivals) > 1  # of 3 seconds, less the time that all need to hear of it


def test_failures_of_all_processes_count_as_one(desk):
    desk.numbered(400)
    with Server(reply(failing)) as server:
        ended = desk.send(server, "--processes", "2", "--concurrency", "2", "--max-failures", "20")
    assert (ended.code, ended.json["stopped_by"]) == (1, "max-failures")
    assert ended.rows["rejected"] in (21, 22)  # the one too many, and the other process's that was under way
    assert ended.rows["rejected"] == len(server.origin.requests)
    assert adds_up(ended.json)


def test_fifty_like_refusals_of_all_processes_are_taken_back(desk):
    desk.numbered(120)
    with Server([Reply(400)]) as server:
        ended = desk.send(server, "--processes", "2", "--concurrency", "4")
    assert (ended.code, ended.json["stopped_by"]) == (1, "destination")
    assert (ended.rows["rejected"], ended.rows["pending"]) == (0, 120)
    with Server(()) as server:
        server.origin.answers = [Reply()]
        assert desk.send(server, "--processes", "2", "--same-target").rows["delivered"] == 120


def test_a_refused_key_stops_all_processes_at_once(desk):
    desk.numbered(600)
    with Server(lambda _, number: Reply(401 if number >= 50 else 200)) as server:
        ended = desk.send(server, "--processes", "2", "--concurrency", "8")
        assert len(server.origin.requests) <= 50 + 2 * 8
    assert (ended.code, ended.json["stopped_by"]) == (1, "auth")
    assert (ended.rows["delivered"], ended.rows["pending"]) == (50, 550)
    assert "401" in ended.err


def test_a_ledger_that_fails_midway_stops_the_run_and_resume_sends_exactly_the_rest(desk, monkeypatch):
    desk.numbered(4_000)
    announce, calls = Book.announce, []

    def announce_twice(book, rows):
        calls.append(len(rows))
        if len(calls) > 2:
            raise StorageError("The disk is full. Make room, then replay resume.")
        return announce(book, rows)

    with Server() as server:
        with monkeypatch.context() as broken:
            broken.setattr(Book, "announce", announce_twice)
            stopped = desk.send(server, "--processes", "2")
        assert (stopped.code, stopped.json["stopped_by"]) == (1, "storage"), stopped
        assert "disk is full" in stopped.err
        assert stopped.rows["ambiguous"] == 0
        assert stopped.rows["delivered"] == len(server.origin.requests) <= sum(calls[:2])
        resumed = desk.type("resume", "last", "--json")
    assert (resumed.code, resumed.rows["delivered"]) == (0, 4_000)
    assert times_asked(server) == once(4_000)


def test_a_failed_row_that_cannot_be_written_down_hides_none_that_came_with_it(desk, monkeypatch):
    desk.numbered(40)

    def full(*_):
        raise StorageError("The disk is full.")

    with Server(reply(failing)) as server, monkeypatch.context() as broken:
        broken.setattr(FailedFile, "append", full)
        stopped = desk.send(server, "--processes", "2", "--concurrency", "8")
        asked = len(server.origin.requests)
    assert (stopped.code, stopped.json["stopped_by"]) == (1, "storage")
    assert (stopped.rows["rejected"], stopped.rows["ambiguous"]) == (asked, 0)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_from_python_inside_a_loop_that_runs(tmp_path, monkeypatch, loop):
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("event,user,amount\n" + "".join(f"buy,u{n},{n}\n" for n in range(1, 201)))
    Path("map.toml").write_text(TOML)
    runner = asyncio.run if loop == "asyncio" else pytest.importorskip("uvloop").run

    async def story():
        mapping = replay.Mapping.load("map.toml")
        return await replay.send_async(
            ["rows.csv"], mapping=mapping, api_key="k", url=server.url, rate="none", processes=2
        )

    with Server() as server:
        summary = runner(story())
    assert (summary.state, summary.rows["delivered"]) == ("finished", 200)
    assert times_asked(server) == once(200)


def test_a_cancelled_run_is_written_down_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("event,user,amount\n" + "".join(f"buy,u{n},{n}\n" for n in range(1, 201)))
    Path("map.toml").write_text(TOML)

    async def story():
        mapping = replay.Mapping.load("map.toml")
        run = replay.send_async(
            ["rows.csv"], mapping=mapping, api_key="k", url=server.url, processes=2, concurrency=4
        )
        task = asyncio.create_task(run)
        await asyncio.to_thread(server.until_in_flight, 4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Server([Reply(delay=0.3)]) as server:
        asyncio.run(story())
    (path,) = tmp_path.glob("replay-runs/*/summary.json")
    summary = json.loads(path.read_text())
    assert (summary["state"], summary["rows"]["ambiguous"]) == ("interrupted", 0)
    assert 4 <= summary["rows"]["delivered"] == len(server.origin.requests) < 200


def test_the_key_and_the_ledger_are_nothing_that_a_process_shows_or_holds(desk):
    desk.numbered(100)
    desk.write("key", KEY).chmod(0o600)
    with Server([Reply(delay=0.5)]) as server:
        process = started(desk, server, "--concurrency", "4", "--api-key-file", "key")
        server.until_in_flight(4)
        workers = workers_of(process.pid)
        shown = [
            Path(f"/proc/{worker}/{name}").read_bytes()
            for worker in workers
            for name in ("cmdline", "environ")
        ]
        held = {str(path.readlink()) for worker in workers for path in Path(f"/proc/{worker}/fd").iterdir()}
        process.kill()
        ended(process)
    assert len(workers) == 2
    assert not [words for words in shown if KEY.encode() in words]
    files = {path for path in held if path.startswith(str(desk.folder))}
    assert len(files) == 2
    assert any(path.endswith(".window") for path in files)
    assert any(".pace-" in path for path in files)


def test_what_lies_in_the_working_folder_is_no_module(desk):
    desk.numbered(10)
    for name in ("socket.py", "replay.py", "msgspec.py"):
        desk.write(name, "raise SystemExit('a stranger')")
    with Server() as server:
        ended = desk.send(server, "--processes", "2")
    assert ended.rows["delivered"] == 10, ended.err


def test_the_plan_tells_of_the_processes_and_the_record_keeps_them(desk):
    desk.numbered(4)
    with Server() as server:
        common = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--dry-run")
        plain = desk.type(*common).err
        three = desk.type(*common, "--processes", "3").err
        cut = desk.type(*common, "--processes", "3", "--concurrency", "2").err
        loose = desk.type(*common, "--processes", "3", "--order", "none").err
        assert desk.send(server, "--processes", "2", "--limit", "2").code == 0
    assert "processes" not in plain
    assert re.search(r"processes +3 that send; rows of one userId with different deviceIds.*not kept", three)
    assert re.search(r"processes +2 that send \(--processes 3 is cut to --concurrency\)", cut)
    assert re.search(r"processes +3 that send\n", loose)
    assert "processes = 2" in (desk.runs[-1] / "run.toml").read_text()


def test_resume_may_change_how_many_send(desk):
    desk.numbered(300)
    with Server(lambda _, number: Reply(401 if number == 20 else 200)) as server:
        assert desk.send(server, "--concurrency", "2").code == 1
        ended = desk.type("resume", "last", "--processes", "2")
    assert (ended.code, desk.summary["rows"]["delivered"]) == (0, 300), ended
    assert re.search("processes +2 that send", ended.err)


def test_what_a_run_waits_for_is_said_of_all_processes_together():
    class Member:
        def __init__(self, in_flight, waiting_for, rows=()):
            self.pulse, self.rows = Pulse(in_flight, None, waiting_for), dict.fromkeys(rows)

    crew = Crew(SendSettings(processes=2), SinkSettings(), -1, None, None, -1)
    assert crew.waiting_for == NO_ROWS
    for members, reason in (
        ([Member(0, NO_ROWS), Member(0, NO_ROWS)], NO_ROWS),
        ([Member(0, NO_ROWS), Member(1, None, [1])], None),
        ([Member(0, NO_ROWS), Member(0, None, [1])], None),
        ([Member(0, NO_ROWS), Member(0, "Retry-After: 2 s more", [1])], "Retry-After: 2 s more"),
    ):
        crew._members = members
        assert crew.waiting_for == reason
