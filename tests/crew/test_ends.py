"""However one of the processes ends, nothing is lost, nothing is sent twice, and what happened is said."""

import json
import os
import signal

import pytest
from cli.desk import Server
from cli.test_stops import adds_up
from crew.watching import ended, is_alive, once, started, times_asked, until, workers_of
from sink.origin import Hang, Reply

from replay.crew.member import Member

PATIENCE = ("--concurrency", "8", "--timeout", "60")


def interrupt(process):
    """Press Ctrl-C; of two that come at once a process sees one."""
    process.send_signal(signal.SIGINT)


def later(_, number):
    return Reply(delay=0.02)


def first_broken(request, number, seen):
    """The first request of a row ends in doubt, the second hangs."""
    row = json.loads(request.body)["event"]["value"]
    seen[row] = seen.get(row, 0) + 1
    return Reply(500) if seen[row] == 1 else Hang(60)


def test_a_killed_process_stops_the_run_in_words_and_resume_sends_exactly_the_rest(desk):
    desk.numbered(600)
    with Server(later) as server:
        process = started(desk, server, *PATIENCE)
        until(lambda: len(server.bodies) > 60)
        os.kill(workers_of(process.pid)[0], signal.SIGKILL)
        stopped = ended(process)
        assert (stopped.code, stopped.json["state"], stopped.json["stopped_by"]) == (1, "stopped", None)
        assert "a sender process ended by itself (signal 9); replay resume goes on" in stopped.err
        assert "Traceback" not in stopped.err
        assert adds_up(stopped.json)
        assert stopped.rows["ambiguous"] <= 8
        assert stopped.rows["delivered"] >= 60
        assert stopped.json["requests"] >= stopped.rows["delivered"]
        resumed = desk.type("resume", "last", "--json")
    assert resumed.rows["delivered"] == 600 - stopped.rows["ambiguous"]
    assert resumed.code == (4 if stopped.rows["ambiguous"] else 0)
    assert times_asked(server) == once(600)


def test_after_a_kill_of_the_run_itself_its_processes_end_at_once_and_resume_works_right_then(desk):
    desk.numbered(600)
    with Server(later) as server:
        process = started(desk, server, *PATIENCE)
        until(lambda: len(server.bodies) > 60)
        workers = workers_of(process.pid)
        process.kill()
        ended(process)
        resumed = desk.type("resume", "last", "--json", "--concurrency", "8")
        assert not any(map(is_alive, workers))
    assert len(workers) == 2
    assert resumed.code in (0, 4), resumed
    assert resumed.rows["ambiguous"] <= 8
    assert resumed.rows["delivered"] + resumed.rows["ambiguous"] == 600
    assert set(times_asked(server).values()) == {1}
    assert times_asked(server).total() >= resumed.rows["delivered"]


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["ctrl-c", "sigterm", "hangup"]
)
def test_a_signal_to_all_processes_finishes_what_is_in_flight(desk, number):
    desk.numbered(300)
    with Server(later) as server:
        process = started(desk, server, *PATIENCE, start_new_session=True)
        until(lambda: len(server.bodies) > 60)
        workers = workers_of(process.pid)
        for worker in workers:
            os.kill(worker, number)
        os.killpg(process.pid, number)
        stopped = ended(process)
        assert (stopped.code, stopped.json["state"]) == (130, "interrupted"), stopped
        assert stopped.rows["ambiguous"] == 0
        assert stopped.rows["delivered"] == len(server.origin.requests) == len(server.bodies)
        assert adds_up(stopped.json)
        assert desk.type("resume", "last", "--json").rows["delivered"] == 300
    assert times_asked(server) == once(300)


def test_a_second_signal_ends_at_once_even_a_process_that_stands_still(desk):
    desk.numbered(100)
    with Server(lambda _, number: Reply(delay=50.0 if number >= 20 else 0.0)) as server:
        process = started(desk, server, "--concurrency", "4", "--timeout", "60")
        until(lambda: server.origin.in_flight == 4 and len(server.bodies) == 20)
        frozen, _ = workers_of(process.pid)
        os.kill(frozen, signal.SIGSTOP)
        until(lambda: desk.summary["state"] != "running" or process.poll() is not None or interrupt(process))
        stopped = ended(process)
    assert stopped.code == 130
    assert (stopped.rows["delivered"], stopped.rows["ambiguous"]) == (20, 4)
    assert len(desk.failed().read_text().splitlines()) == 5
    assert not is_alive(frozen)


@pytest.mark.parametrize("whom", ["worker", "run"])
def test_extra_sends_count_also_where_a_kill_comes_while_they_are_under_way(desk, whom):
    desk.numbered(6)
    seen = {}
    with Server(lambda request, number: first_broken(request, number, seen)) as server:
        process = started(desk, server, *PATIENCE, "--on-ambiguous", "resend")
        until(lambda: len(server.origin.requests) == 12)
        for victim in [process.pid] if whom == "run" else workers_of(process.pid):
            os.kill(victim, signal.SIGKILL)
        stopped = ended(process)
        if whom == "worker":
            assert stopped.json["possible_duplicates"] == 6
            assert stopped.rows["ambiguous"] == 6
        resumed = desk.type("resume", "last", "--json")
    assert (resumed.code, resumed.rows["ambiguous"], resumed.json["possible_duplicates"]) == (4, 6, 6)
    assert len(server.origin.requests) == 12


def test_a_kill_while_an_extra_send_is_under_way_is_counted_in_one_process_too(desk):
    desk.numbered(6)
    seen = {}
    with Server(lambda request, number: first_broken(request, number, seen)) as server:
        process = started(desk, server, *PATIENCE, "--on-ambiguous", "resend", "--processes", "1")
        until(lambda: len(server.origin.requests) == 12)
        process.kill()
        ended(process)
        resumed = desk.type("resume", "last", "--json")
    assert (resumed.code, resumed.rows["ambiguous"], resumed.json["possible_duplicates"]) == (4, 6, 6)


def test_an_extra_send_that_was_refused_is_taken_back(desk):
    desk.numbered(1)
    answers = [Reply(500), Reply(429, {"Retry-After": "0"}), Reply(500), Reply()]
    with Server(answers) as server:
        ended = desk.send(server, "--processes", "2", "--on-ambiguous", "resend")
    assert (ended.json["requests"], ended.json["possible_duplicates"]) == (4, 2)


def script(desk, *lines):
    path = desk.write("python", "\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o700)
    return str(path)


def test_a_process_that_cannot_be_started_is_told_in_words(desk, monkeypatch):
    desk.numbered(10)
    monkeypatch.setattr("replay.crew.member.sys.executable", "/nowhere/python")
    with Server() as server:
        stopped = desk.send(server, "--processes", "2")
    assert (stopped.code, stopped.json["state"], stopped.rows["pending"]) == (1, "stopped", 10)
    assert "only 0 of 2 sender processes could be started (No such file or directory)" in stopped.err
    assert "Traceback" not in stopped.err


def test_where_one_of_them_cannot_be_started_the_others_end(desk, monkeypatch):
    desk.numbered(10)
    spawn, spawned = Member._spawn, []

    def spawn_one(member, control):
        if spawned:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        spawned.append(member)
        return spawn(member, control)

    with Server() as server, monkeypatch.context() as crowded:
        crowded.setattr(Member, "_spawn", spawn_one)
        stopped = desk.send(server, "--processes", "2")
    assert stopped.code == 1
    assert "only 1 of 2 sender processes could be started (Resource temporarily unavailable)" in stopped.err
    assert stopped.rows["pending"] == 10
    assert workers_of(os.getpid()) == []


def test_a_process_that_dies_while_it_starts_is_told_by_its_last_words(desk, monkeypatch):
    desk.numbered(10)
    with Server() as server:
        with monkeypatch.context() as broken:
            broken.setattr("replay.crew.member.sys.executable", script(desk, "echo 'no room' >&2", "exit 3"))
            stopped = desk.send(server, "--processes", "2")
        assert (stopped.code, stopped.rows["pending"]) == (1, 10)
        assert "a sender process ended by itself (no room); replay resume goes on" in stopped.err
        assert desk.type("resume", "last", "--json").rows["delivered"] == 10
