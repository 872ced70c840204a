"""How a run stops: refused, interrupted, killed, or told to; and what is left for whoever comes next."""

import json
import signal
import subprocess
import time

import pytest
from cli.desk import HEADER, KEY, MAP, Server, reply
from sink.origin import Reply

OUTCOMES = ("delivered", "rejected", "exhausted", "ambiguous", "invalid", "skipped", "pending")


def adds_up(summary):
    rows = summary["rows"]
    assert rows["read"] == sum(rows[name] for name in OUTCOMES)
    assert list(rows) == ["read", *OUTCOMES]
    for outcome in ("rejected", "exhausted", "ambiguous", "invalid", "skipped"):
        told = sum(reason["rows"] for reason in summary["reasons"] if reason["outcome"] == outcome)
        assert told == rows[outcome], outcome
    return True


def started(desk, server, *arguments):
    return desk.spawn(
        "send",
        "rows.csv",
        "--map",
        "map.toml",
        "--url",
        server.url,
        "--rate",
        "none",
        "--yes",
        "--json",
        *arguments,
    )


def ended(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def hangs(seconds):
    """Rows beyond the 20th are answered late."""
    return reply(lambda body: Reply(delay=seconds if body["event"]["value"] > 20 else 0.0))


def everything_below(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_key_refused_midway_stops_the_run_and_leaves_the_rest_pending(desk):
    desk.numbered(300)
    with Server(lambda _, number: Reply(401 if number >= 50 else 200)) as server:
        ended = desk.send(server, "--concurrency", "8")
        assert len(server.origin.requests) <= 50 + 8
    summary = ended.json
    assert (ended.code, summary["state"], summary["stopped_by"]) == (1, "stopped", "auth")
    assert summary["rows"]["delivered"] == 50
    assert summary["rows"]["pending"] == 250
    assert adds_up(summary)
    assert "401" in ended.err
    assert summary == desk.summary


def test_the_key_is_nowhere_on_the_disk_nor_in_what_is_said(desk):
    desk.csv("buy,u1,1,ok", "buy,u2,2,bad", "buy,u3,none,invalid", "short")
    with Server(
        reply(lambda body: Reply(400, body=KEY.encode()) if body["event"]["value"] == 2 else 200)
    ) as server:
        ended = desk.alone(
            "send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--retries", "1"
        )
        assert any(KEY in request.headers.values() for request in server.origin.requests)
    assert ended.code == 3
    assert KEY not in ended.out + ended.err
    assert KEY.encode() not in everything_below(desk.folder)


def test_an_address_is_kept_and_shown_without_what_may_be_secret_in_it(desk):
    desk.numbered(2)
    with Server() as server:
        url = server.url.replace("http://", "http://someone:s3cret@") + "?token=s3cret"
        ended = desk.send(url)
        assert server.origin.requests[0].path == "/v1/track?token=s3cret"
    said = ended.out + ended.err
    assert ended.code == 0
    assert "s3cret" not in said
    assert b"s3cret" not in everything_below(desk.folder)
    for url in (
        "ftp://me:s3cret@host/x",
        "http://me:s3cret@example.org/?q=s3cret",
        "https://me:s3cret@host:port/",
    ):
        ended = desk.send(url)
        assert ended.code == 2
        assert "s3cret" not in ended.out + ended.err


def test_the_counts_of_a_mixed_run_add_up_in_both_places(desk):
    lines = [f"buy,user{n},{n},m" for n in range(1, 41)]
    desk.csv(*lines, "buy,user41,none,m", "too short", ",user42,1,m")
    statuses = {3: 400, 4: 413, 5: 500, 6: 504, 7: 408, 8: 422}
    with Server(reply(lambda body: statuses.get(body["event"]["value"], 200))) as server:
        ended = desk.send(server, "--retries", "0")
    summary = ended.json
    assert ended.code == 4
    assert adds_up(summary)
    assert summary == desk.summary
    assert summary["rows"] == {
        "read": 43,
        "delivered": 34,
        "rejected": 3,
        "exhausted": 1,
        "ambiguous": 2,
        "invalid": 3,
        "skipped": 0,
        "pending": 0,
    }
    assert summary["requests"] == len(server.origin.requests) == 40
    assert (summary["state"], summary["stopped_by"], summary["command"]) == ("finished", None, "send")
    assert list(summary) == [
        "run",
        "command",
        "state",
        "stopped_by",
        "rows",
        "requests",
        "retries",
        "possible_duplicates",
        "seconds",
        "rows_per_second",
        "reasons",
        "files",
    ]
    assert list(summary["files"]) == ["folder", "failed", "unreadable", "report"]
    for path in (summary["files"]["folder"], *summary["files"]["failed"], summary["files"]["unreadable"]):
        assert (desk.folder / path).exists()
    assert not list(desk.folder.rglob("*.part"))
    assert not list(desk.folder.rglob("*.tmp"))


def test_retries_are_counted_and_what_finally_arrives_is_delivered(desk):
    desk.numbered(3)
    with Server([Reply(429, {"Retry-After": "0"}), Reply()]) as server:
        summary = desk.send(server).json
    assert (summary["rows"]["delivered"], summary["requests"], summary["retries"]) == (3, 4, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_midway_finishes_what_is_in_flight_and_nothing_else(desk, number):
    desk.numbered(400)
    with Server(hangs(0.7)) as server:
        process = started(desk, server, "--concurrency", "4")
        server.until_in_flight(4)
        process.send_signal(number)
        code, out, err = ended(process)
        asked = len(server.origin.requests)
    summary = json.loads(out)
    assert (code, summary["state"], summary["stopped_by"]) == (130, "interrupted", None)
    assert summary["rows"]["ambiguous"] == 0
    assert summary["rows"]["delivered"] == asked == len(server.bodies)
    assert summary["rows"]["pending"] == 400 - asked
    assert adds_up(summary)
    assert summary == desk.summary
    assert "Stopping" in err or "interrupted" in err


def test_a_hangup_that_is_ignored_as_by_nohup_does_not_stop_the_run(desk):
    desk.numbered(40)
    with Server(hangs(0.2)) as server:
        ignoring = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            process = started(desk, server, "--concurrency", "4")
        finally:
            signal.signal(signal.SIGHUP, ignoring)
        server.until_in_flight(4)
        process.send_signal(signal.SIGHUP)
        code, out, _ = ended(process)
    assert (code, json.loads(out)["rows"]["delivered"]) == (0, 40)


def test_a_second_signal_ends_at_once_with_what_was_in_flight_ambiguous(desk):
    desk.numbered(100)
    with Server(hangs(50)) as server:
        process = started(desk, server, "--concurrency", "4", "--timeout", "60")
        while server.origin.in_flight < 4 or len(server.bodies) < 20:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        while desk.summary["state"] == "running" and process.poll() is None:
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        code, out, _ = ended(process)
    summary = json.loads(out)
    assert code == 130
    assert summary["rows"]["ambiguous"] == 4
    assert summary["rows"]["delivered"] == 20
    assert adds_up(summary)
    assert len(desk.failed().read_text().splitlines()) == 5


def test_a_running_run_keeps_its_summary_and_its_failed_rows_at_hand(desk):
    desk.csv(*(f"buy,user{n},{n},m" for n in range(1, 60)), "broken")
    answers = reply(
        lambda body: (
            Reply(delay=50)
            if body["event"]["value"] > 20
            else Reply(400 if body["event"]["value"] == 5 else 200)
        )
    )
    with Server(answers) as server:
        process = started(desk, server, "--concurrency", "4", "--timeout", "60")
        while (
            server.origin.in_flight < 4 or len(server.bodies) < 19 or desk.summary["rows"]["delivered"] < 19
        ):
            assert process.poll() is None
            time.sleep(0.02)
        summary = desk.summary
        process.kill()
        ended(process)
    assert summary["state"] == "running"
    assert adds_up(summary)
    assert (summary["rows"]["delivered"], summary["rows"]["rejected"], summary["rows"]["invalid"]) == (
        19,
        1,
        1,
    )
    part = desk.failed("rows.csv.part").read_text().splitlines()
    assert part[0].startswith(HEADER + ",_replay_id")
    assert [line.split(",")[:2] for line in part[1:]] == [["buy", "user5"]]
    (unreadable,) = (desk.runs[-1] / "unreadable.jsonl.part").read_text().splitlines()
    assert json.loads(unreadable)["raw"].strip() == "broken"
    with Server() as server:
        resent = desk.type("resend", "last", "--url", server.url, "--yes", "--json")
    assert resent.code == 0, resent
    assert [event["user"]["userId"] for event in server.events] == ["user5"]


def test_the_summary_stands_before_the_first_answer(desk):
    desk.numbered(5)
    with Server([Reply(delay=50)]) as server:
        process = started(desk, server)
        server.until_in_flight(1)
        summary = desk.summary
        process.kill()
        ended(process)
    assert summary["state"] == "running"
    assert summary["rows"]["read"] == summary["rows"]["pending"] == 5


def test_a_limit_skips_every_row_after_it_whatever_it_is(desk):
    desk.csv("buy,u1,1,m", "buy,u2,none,m", "buy,u3,3,m", "buy,u4,none,m", "short", "buy,u6,6,m")
    with Server() as server:
        ended = desk.send(server, "--limit", "2")
    summary = ended.json
    assert {event["user"]["userId"] for event in server.events} == {"u1", "u3"}
    assert adds_up(summary)
    assert (summary["rows"]["delivered"], summary["rows"]["invalid"], summary["rows"]["skipped"]) == (2, 1, 3)
    assert {"outcome": "skipped", "status": None, "reason": "limit", "rows": 3} in summary["reasons"]
    assert summary["files"]["unreadable"] is None


def test_a_limit_goes_over_all_sources(desk):
    desk.csv("buy,u1,1,m", "buy,u2,2,m", "buy,u3,3,m", name="a.csv")
    desk.csv("buy,v1,1,m", "buy,v2,2,m", "buy,v3,3,m", name="b.csv")
    with Server() as server:
        ended = desk.type(
            "send",
            "a.csv",
            "b.csv",
            "--map",
            "map.toml",
            "--url",
            server.url,
            "--yes",
            "--json",
            "--limit",
            "4",
        )
    assert ended.rows["delivered"] == len(server.bodies) == 4
    assert ended.rows["skipped"] == 2


@pytest.mark.parametrize(("most", "failures"), [("0", 1), ("9", 10), ("10%", 99), ("none", 199)])
def test_max_failures_stops_the_run(desk, most, failures):
    desk.numbered(200)
    refuse = reply(
        lambda body: 200 if body["event"]["value"] == 1 else Reply(400, body=b"%d" % body["event"]["value"])
    )
    with Server(refuse) as server:
        ended = desk.send(server, "--max-failures", most, "--concurrency", "1")
    summary = ended.json
    assert adds_up(summary)
    assert summary["rows"]["rejected"] == failures
    if most == "none":
        assert (ended.code, summary["state"]) == (3, "finished")
        return
    assert (ended.code, summary["state"], summary["stopped_by"]) == (1, "stopped", "max-failures")


def test_invalid_rows_are_no_failures_of_the_run(desk):
    desk.csv(*(f"buy,u{n},none,m" for n in range(50)), "buy,u,1,m")
    with Server() as server:
        assert desk.send(server, "--max-failures", "0").code == 3
    assert len(server.bodies) == 1


def test_fifty_like_refusals_from_the_start_are_the_destinations_and_stay_pending(desk):
    desk.numbered(80)
    with Server([Reply(400)]) as server:
        ended = desk.send(server, "--concurrency", "4")
    summary = ended.json
    assert (ended.code, summary["stopped_by"]) == (1, "destination")
    assert adds_up(summary)
    assert summary["rows"]["rejected"] <= 4
    assert summary["rows"]["pending"] >= 76


def test_an_address_where_nobody_listens_exhausts_the_rows(desk):
    desk.numbered(2)
    with Server() as server:
        url = server.url
    ended = desk.send(url, "--retries", "0")
    assert (ended.code, ended.rows["exhausted"]) == (3, 2)
    assert "connection" in ended.json["reasons"][0]["reason"]


def test_a_source_that_changes_after_the_plan_stops_the_run_and_keeps_what_failed(desk):
    rows = desk.csv(*(f"buy,user{n},{n},{'long ' * 300}" for n in range(1, 5001)))

    def answer(request, number):
        if number == 0:
            with rows.open("ab") as file:
                file.write(b"buy,one-more,1,m\n")
        return Reply(400 if b'"user1"' in request.body else 200)

    with Server(answer) as server:
        ended = desk.send(server)
    summary = ended.json
    assert (ended.code, summary["stopped_by"]) == (1, "source")
    assert adds_up(summary)
    assert summary["rows"]["delivered"] == len(server.bodies)
    assert "buy,user1,1," in desk.failed().read_text()
    assert "changed" in ended.err


def test_a_source_that_vanishes_before_the_end_leaves_its_failed_rows_all_the_same(desk):
    rows = desk.numbered(20)

    def answer(request, number):
        rows.unlink(missing_ok=True)
        return Reply(400 if b'"row 7"' in request.body else 200)

    with Server(answer) as server:
        ended = desk.send(server, "--concurrency", "1")
    assert (ended.code, ended.rows["rejected"], ended.rows["delivered"]) == (3, 1, 19)
    assert ended.json["files"]["failed"] == [f"{ended.json['files']['folder']}/failed/rows.csv"]
    assert "row 7" in desk.failed().read_text()
    assert not list(desk.folder.rglob("*.part"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_anything_was_sent_leaves_nothing_behind(desk, number):
    desk.write("map.toml", MAP)
    common = ("--format", "csv", "--map", "map.toml", "--sandbox", "--yes", "--json")
    process = desk.spawn("send", "-", *common, stdin=subprocess.PIPE)
    while not list(desk.folder.glob("replay-runs/*/stdin")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    code, out, err = ended(process)
    assert (code, json.loads(out)["error"]["kind"], err) == (130, "interrupted", "")
    assert {path.name for path in desk.folder.glob("replay-runs/*")} <= {".gitignore", "ledger.sqlite"}


def test_the_plan_of_a_long_run_says_how_it_outlives_the_terminal(desk):
    desk.numbered(20)
    typed = ("send", "rows.csv", "--map", "map.toml", "--dry-run", "--rate")
    assert "nohup" in desk.type(*typed, "60/h").err
    assert "nohup" not in desk.type(*typed, "20/s").err


@pytest.mark.parametrize("processes", ["1", "2"])
def test_two_live_runs_to_one_target_keep_the_lowest_rate_together(desk, processes):
    desk.numbered(2_000, "first.csv")
    desk.csv(*(f"buy,other{n},{n},other {n}" for n in range(40)), name="second.csv")
    common = ("--map", "map.toml", "--yes", "--json", "--concurrency", "8")
    with Server() as server:
        environment = {"HACKLE_API_KEY": KEY}
        first = desk.spawn(
            "send", "first.csv", *common, "--url", server.url, "--rate", "50/s",
            "--processes", processes, env=environment,
        )  # fmt: skip
        while len(server.bodies) < 5:
            assert first.poll() is None
            time.sleep(0.01)
        second = desk.spawn(
            "send", "second.csv", *common, "--url", server.url, "--rate", "20/s", env=environment
        )
        assert ended(second)[0] == 0
        first.send_signal(signal.SIGINT)
        assert ended(first)[0] == 130
        requests = server.origin.requests
    theirs = [place for place, request in enumerate(requests) if b"other" in request.body]
    together = requests[theirs[0] : theirs[-1] + 1]
    assert len(together) > len(theirs) == 40
    seconds = together[-1].at - together[0].at
    assert len(together) <= 1.02 * 20 * seconds + 1 + 20 * ON_THE_WAY


ON_THE_WAY = 0.5  # seconds that a request may take to be seen, on a busy machine
