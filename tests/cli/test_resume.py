"""`replay resume`: the whole run, all its legs, each row once; after a stop, a signal and a kill."""

import csv
import io
import json
import signal
import subprocess
import time

import pytest
from cli.desk import Server
from cli.test_stops import adds_up, ended, started
from sink.origin import Reply, Reset


def memos(server):
    return sorted(event["event"]["properties"]["memo"] for event in server.events)


def all_rows(number):
    return sorted(f"row {n}" for n in range(1, number + 1))


def resume(desk, *arguments):
    return desk.type("resume", *(arguments or ("last",)), "--json")


class Mood:
    """Answers by what a row holds: `bad` ones are refused; from `most` requests on the key is."""

    def __init__(self, most=10**9, bad=(), lost=(), slow=10**9):
        self.most, self.bad, self.lost, self.slow = most, bad, lost, slow

    def __call__(self, request, number):
        value = json.loads(request.body)["event"]["value"]
        if number >= self.most:
            return Reply(401)
        if value in self.lost:
            return Reset()
        return Reply(400 if value in self.bad else 200, delay=60 if value > self.slow else 0)


def killed(desk, server, in_flight=4, **options):
    """Send until rows beyond the 20th hang, then kill -9."""
    process = started(desk, server, "--concurrency", str(in_flight), "--timeout", "90", **options)
    while server.origin.in_flight < in_flight or len(server.bodies) < 20:
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    ended(process)


def test_all_legs_are_one_summary_and_one_failed_file(desk):
    desk.csv(*(f"buy,user{n},{n},row {n}" for n in range(1, 101)), "short", "buy,u,none,m")
    mood = Mood(most=40, bad=(5, 95))
    with Server(mood) as server:
        first = desk.send(server, "--concurrency", "2")
        assert (first.code, first.json["stopped_by"]) == (1, "auth")
        mood.most = 70
        second = resume(desk)
        assert (second.code, second.json["stopped_by"]) == (1, "auth")
        mood.most = 10**9
        third = resume(desk, first.json["run"])
        asked = len(server.origin.requests)
    for leg in (first, second, third):
        assert adds_up(leg.json)
        assert leg.json["run"] == first.json["run"]
        assert leg.json["command"] == "send"
    assert first.rows["delivered"] < second.rows["delivered"] < third.rows["delivered"] == 98
    assert (third.code, third.json["state"], third.rows["rejected"], third.rows["invalid"]) == (
        3,
        "finished",
        2,
        2,
    )
    assert third.json["requests"] == asked
    assert memos(server) == sorted(set(all_rows(100)) - {"row 5", "row 95"})
    assert desk.summary == third.json
    table = list(csv.reader(io.StringIO(desk.failed().read_text())))
    assert [row[3] for row in table[1:]] == ["row 5", "row 95", "m"]
    assert len((desk.folder / third.json["files"]["unreadable"]).read_text().splitlines()) == 1
    assert not list(desk.folder.rglob("*.part"))


def test_a_leg_that_ends_at_once_keeps_what_earlier_legs_wrote(desk):
    lines = [f"buy,user{n},{n},row {n}" for n in range(1, 3001)]
    desk.csv("short", *lines[:2500], "shorter", *lines[2500:], "buy,u,none,m")
    mood = Mood(most=2800, bad=(5,))
    with Server(mood) as server:
        first = desk.send(server)
        mood.most = 0
        second = resume(desk)
    assert adds_up(first.json)
    assert adds_up(second.json)
    kept = ("delivered", "rejected", "invalid")
    assert [second.rows[name] for name in kept] == [first.rows[name] for name in kept]
    assert second.json["files"]["failed"] == first.json["files"]["failed"]
    assert second.json["files"]["unreadable"] == first.json["files"]["unreadable"]
    raws = [json.loads(line)["raw"] for line in (desk.runs[-1] / "unreadable.jsonl").read_text().splitlines()]
    assert [raw.strip() for raw in raws] == ["short", "shorter"]
    assert "row 5" in desk.failed().read_text()


def test_a_finished_run_repeats_its_summary_and_its_exit_code_and_sends_nothing(desk, monkeypatch):
    desk.numbered(10)
    with Server(Mood(bad=(3,))) as server:
        first = desk.send(server)
        asked = len(server.origin.requests)
        again = resume(desk)
        (desk.folder / "below").mkdir()
        monkeypatch.chdir(desk.folder / "below")
        elsewhere = resume(desk, f"../{first.json['files']['folder']}")
    assert (again.code, again.json) == (3, first.json)
    assert len(server.origin.requests) == asked
    assert (desk.folder / "below" / elsewhere.json["files"]["failed"][0]).is_file()


def test_a_run_goes_on_from_another_working_folder(desk, monkeypatch):
    desk.numbered(50)
    mood = Mood(most=20)
    with Server(mood) as server:
        folder = desk.send(server, "--concurrency", "2").json["files"]["folder"]
        mood.most = 10**9
        (desk.folder / "below").mkdir()
        monkeypatch.chdir(desk.folder / "below")
        ended = resume(desk, f"../{folder}")
    assert (ended.code, ended.rows["delivered"]) == (0, 50)
    assert memos(server) == all_rows(50)


@pytest.mark.parametrize("change", ["middle", "grown", "gone"])
def test_other_bytes_are_refused_in_words(desk, change):
    path = desk.numbered(50)
    mood = Mood(most=20)
    with Server(mood) as server:
        desk.send(server, "--concurrency", "1")
        mood.most = 10**9
        text = path.read_text()
        path.unlink()
        if change != "gone":
            path.write_text(text + "buy,u,1,new\n" if change == "grown" else text.replace("row 30", "row xx"))
        refused = resume(desk)
        assert (refused.code, refused.json["error"]["kind"]) == (1, "source"), refused
        assert "rows.csv" in refused.json["error"]["message"]
        path.write_text(text)
        assert resume(desk).code == 0
    assert memos(server) == all_rows(50)


def test_another_address_is_refused(desk):
    desk.numbered(10)
    with Server(Mood(most=5)) as server, Server() as other:
        desk.send(server, "--concurrency", "1")
        refused = resume(desk, "last", "--url", other.url)
        assert (refused.code, refused.json["error"]["kind"]) == (2, "usage")
        assert resume(desk, "last", "--url", "http://127.0.0.1:port/").code == 2
        assert not other.origin.requests


def test_what_may_change_does(desk, monkeypatch):
    desk.numbered(30)
    mood = Mood(most=5)
    with Server(mood) as server:
        desk.send(server, "--concurrency", "1")
        mood.most = 10**9
        monkeypatch.setenv("HACKLE_API_KEY", "rotated")
        ended = resume(
            desk, "last", "--rate", "none", "--concurrency", "3", "--timeout", "5", "--retries", "1",
            "--max-outage", "60", "--on-ambiguous", "resend", "--same-target",
        )  # fmt: skip
        assert (ended.code, server.origin.requests[-1].headers["x-hackle-api-key"]) == (0, "rotated")
        assert desk.send(server).rows["skipped"] == 30  # the key is known from now on
    assert memos(server) == all_rows(30)


def test_the_limit_and_the_sample_of_a_run_hold_over_its_legs(desk):
    desk.csv(*(f"buy,user{n % 50},{n},row {n}" for n in range(1, 301)))
    mood = Mood(most=10)
    with Server(mood) as server:
        whole = desk.send(server, "--dry-run", "--sample-users", "50%").rows["pending"]
        assert whole > 70
        desk.send(server, "--concurrency", "1", "--sample-users", "50%", "--limit", "60")
        mood.most = 10**9
        ended = resume(desk)
    assert (ended.code, ended.rows["delivered"], len(server.bodies)) == (0, 60, 60)
    assert adds_up(ended.json)


def test_standard_input_can_be_gone_on_with(desk):
    content = desk.numbered(40).read_text()
    mood = Mood(most=10)
    with Server(mood) as server:
        process = desk.spawn(
            *("send", "-", "--format", "csv", "--map", "map.toml", "--url", server.url),
            *("--rate", "none", "--yes", "--json", "--concurrency", "2"),
            stdin=subprocess.PIPE,
        )
        out, _ = process.communicate(content, timeout=300)
        assert json.loads(out)["stopped_by"] == "auth"
        (desk.folder / "rows.csv").unlink()
        mood.most = 10**9
        assert resume(desk).code == 0
    assert memos(server) == all_rows(40)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp949"])
def test_a_source_is_read_again_as_it_was_read_first(desk, encoding):
    text = desk.csv(*(f"buy,가{n},{n},가 {n}" for n in range(40))).read_text()
    desk.write("rows.csv", text.encode(encoding))
    mood = Mood(most=10)
    with Server(mood) as server:
        options = ("--encoding", "cp949") if encoding == "cp949" else ()
        assert desk.send(server, "--concurrency", "1", *options).rows["delivered"] == 10
        mood.most = 10**9
        ended = resume(desk)
    assert (ended.code, ended.rows["delivered"]) == (0, 40), ended
    assert memos(server) == sorted(f"가 {n}" for n in range(40))


def test_a_resend_can_be_resumed(desk):
    desk.numbered(40)
    mood = Mood(bad=range(1, 31))
    with Server(mood) as server:
        run = desk.send(server).json["run"]
        mood.bad, mood.most = (), 50
        stopped = desk.type(
            "resend", run, "--url", server.url, "--yes", "--json", "--rate", "none", "--concurrency", "1"
        )
        assert (stopped.json["stopped_by"], stopped.rows["delivered"]) == ("auth", 10)
        mood.most = 10**9
        ended = resume(desk)
        assert (ended.code, ended.json["command"], ended.rows["delivered"]) == (0, "resend", 30)
        assert desk.send(server).rows["skipped"] == 40
    assert memos(server) == all_rows(40)


def test_a_sandbox_run_is_gone_on_with_in_a_sandbox_and_needs_no_key(desk, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY")
    desk.numbered(400)
    process = desk.spawn(
        "send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes", "--json", "--rate", "100/s"
    )
    while not list(desk.folder.glob("*/*/summary.json")) or desk.summary["rows"]["delivered"] < 20:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert resume(desk, "last", "--rate", "none").rows["delivered"] == 400


@pytest.mark.parametrize("after", ["send", "resume", "resend", "settle"])
def test_after_a_kill_nothing_is_sent_twice_and_what_was_in_flight_is_in_doubt(desk, after):
    desk.numbered(60)
    mood = Mood(bad=(7,), slow=21)
    with Server(mood) as server:
        killed(desk, server)
        mood.slow, mood.bad = 10**9, ()
        run = desk.runs[-1].name
        if after == "send":
            ended = desk.send(server)
            assert (ended.code, ended.rows["ambiguous"]) == (4, 4)
            assert ended.rows["delivered"] + ended.rows["skipped"] == 56
        elif after == "resume":
            ended = resume(desk)
            assert (ended.code, ended.rows["delivered"], ended.rows["rejected"]) == (4, 55, 1)
            assert ended.rows["ambiguous"] == 4
            failed = csv.DictReader(io.StringIO(desk.failed().read_text()))
            outcomes = [row["_replay_outcome"] for row in failed]
            assert sorted(outcomes) == ["ambiguous"] * 4 + ["rejected"]
            assert ended.json["requests"] >= 24
        elif after == "resend":
            common = ("--url", server.url, "--yes", "--json", "--rate", "none")
            ended = desk.type("resend", run, *common)
            assert (ended.code, ended.rows["delivered"], ended.rows["read"]) == (0, 1, 1)
            assert "4 rows" in ended.err
            ended = desk.type("resend", run, "--only", "ambiguous", *common)
            assert (ended.rows["delivered"], ended.json["possible_duplicates"]) == (4, 4)
            return
        else:
            settled = desk.type("settle", run, "--as", "delivered", "--json")
            assert (settled.rows["ambiguous"], settled.json["state"]) == (0, "interrupted")
            assert adds_up(settled.json)
            ended = resume(desk)
            assert (ended.code, ended.rows["delivered"], ended.rows["rejected"]) == (3, 59, 1)
        assert adds_up(ended.json)
        bodies = [request.body for request in server.origin.requests]
        assert len(set(bodies)) == 60
        assert len(bodies) == (61 if after == "send" else 60)  # the refused row is tried once more by a send


def test_a_killed_run_is_told_as_killed_and_how_to_go_on(desk):
    desk.numbered(60)
    with Server(Mood(slow=21)) as server:
        killed(desk, server)
        assert "killed" in desk.type("runs").out
        told = desk.type("runs", "last")
        assert f"replay resume {desk.runs[-1].name}" in told.out
        assert desk.type("runs", "last", "--json").json["state"] == "interrupted"
        assert [run["state"] for run in desk.type("runs", "--json").json["runs"]] == ["interrupted"]


def test_a_live_run_is_told_as_running(desk):
    desk.numbered(60)
    with Server(Mood(slow=21)) as server:
        process = started(desk, server, "--concurrency", "4", "--timeout", "90")
        server.until_in_flight(4)
        assert desk.type("runs", "last", "--json").json["state"] == "running"
        process.kill()
        ended(process)


def test_a_run_killed_in_each_of_its_legs_still_adds_up(desk):
    desk.numbered(80)
    mood = Mood(slow=21)
    with Server(mood) as server:
        killed(desk, server, in_flight=2)
        mood.slow = 41
        process = desk.spawn("resume", "last", "--json")
        while server.origin.in_flight < 2 or len(server.bodies) < 38:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        ended(process)
        mood.slow = 10**9
        last = resume(desk)
        bodies = [request.body for request in server.origin.requests]
    assert (last.code, last.rows["ambiguous"], last.rows["delivered"], last.rows["pending"]) == (4, 4, 76, 0)
    assert adds_up(last.json)
    assert len(bodies) == len(set(bodies)) == 80
    assert len(desk.failed().read_text().splitlines()) == 5


def test_without_its_ledger_a_run_is_not_gone_on_with(desk):
    desk.numbered(10)
    with Server(Mood(most=5)) as server:
        desk.send(server, "--concurrency", "1")
        ledger = desk.folder / "replay-runs" / "ledger.sqlite"
        moved = ledger.rename(desk.folder / "moved.sqlite")
        refused = resume(desk)
        assert (refused.code, refused.json["error"]["kind"]) == (1, "storage")
        assert "--ledger" in refused.json["error"]["message"]
        assert not ledger.exists()
        server.origin.answers = (Reply(),)
        assert resume(desk, "last", "--ledger", moved).code == 0
    assert memos(server) == all_rows(10)


def test_a_run_that_does_not_exist_is_told(desk):
    for command in (("resume", "none"), ("settle", "none", "--as", "delivered")):
        ended = desk.type(*command, "--json")
        assert (ended.code, ended.json["error"]["kind"]) == (2, "usage")


def test_the_text_of_a_stop_says_how_to_go_on(desk):
    desk.numbered(10)
    with Server(Mood(most=5)) as server:
        told = desk.type("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes")
    assert f"replay resume {desk.runs[-1].name}" in told.out


def test_a_failed_file_of_a_killed_run_that_a_person_edited_is_not_sent_with_its_old_values(desk):
    desk.csv("buy,user1,none,m", *(f"buy,user{n},{n},row {n}" for n in range(2, 60)))
    mood = Mood(slow=21)
    with Server(mood) as server:
        killed(desk, server)
        mood.slow = 10**9
        sent = len(server.bodies)
        file = desk.failed("rows.csv.part")
        file.write_text(file.read_text().replace("none", "7"))
        common = ("--url", server.url, "--yes", "--json", "--rate", "none")
        ended = desk.type("resend", file, *common)
        assert ended.code == 2, ended
        assert ".edited" in ended.json["error"]["message"]
        assert len(server.bodies) == sent
