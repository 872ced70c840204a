"""`replay report`: every run has one, whatever became of it."""

import json
import os
import re
import sqlite3
import stat
import subprocess
import sys

from cli.desk import TOP, Server, reply
from sink.origin import Reply

WITHOUT = (
    "import sys; sys.modules['pygal'] = None; from replay.cli import run; raise SystemExit(run(sys.argv[1:]))"
)


def text_of(desk, run=-1):
    page = (desk.runs[run] / "report.html").read_text("utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.S))


def odd_refused(body):
    return Reply(400, body=b'{"message": "odd"}') if int(body["event"]["value"]) % 2 else 200


def ledger_told(desk, statement):
    ledger = sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite")
    with ledger:
        ledger.execute(statement)
    ledger.close()


def test_a_run_leaves_a_report_and_says_where(desk):
    desk.numbered(30)
    with Server(reply(odd_refused)) as server:
        ended = desk.send(server)
    path = desk.folder / ended.json["files"]["report"]
    assert path == desk.runs[-1] / "report.html"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert desk.summary["files"]["report"] == ended.json["files"]["report"]
    text = text_of(desk)
    for words in ("15 of 30 rows were delivered; 15 did not get through.", "400 odd", "row 1 of rows.csv"):
        assert words in text
    assert f"replay resend {desk.runs[-1].name}" in text
    assert server.url in text


def test_the_report_is_written_anew_on_demand_and_its_path_printed(desk):
    desk.numbered(3)
    with Server() as server:
        desk.send(server)
    (desk.runs[-1] / "report.html").unlink()
    ended = desk.type("report", "last")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.strip() == f"replay-runs/{desk.runs[-1].name}/report.html"
    assert desk.type("report", desk.runs[-1].name, "--json").json == {"report": ended.out.strip()}
    assert "All 3 rows were delivered." in text_of(desk)
    assert desk.type("report", "nothing-there").code == 2


def test_open_hands_the_report_to_the_browser(desk, monkeypatch):
    desk.numbered(3)
    with Server() as server:
        desk.send(server)
    seen = desk.folder / "seen"
    desk.write("browser", f'#!/bin/sh\necho "$1" > {seen}\n').chmod(0o700)
    monkeypatch.setenv("BROWSER", str(desk.folder / "browser"))
    assert desk.alone("report", "last", "--open").code == 0
    assert seen.read_text().strip() == (desk.runs[-1] / "report.html").as_uri()


def test_the_legs_of_a_run_are_one_report(desk):
    desk.numbered(20)
    with Server(lambda _, number: Reply(401 if number == 8 else 200)) as server:
        desk.send(server, "--concurrency", "1")
        assert "The run stopped because the API key was refused: 8 of 20" in text_of(desk)
        assert desk.type("resume", "last", "--json").code == 0
    text = text_of(desk)
    assert "All 20 rows were delivered." in text
    assert "in 2 legs" in text
    assert re.search(r"200 20 .*?accepted", text)
    assert re.search(r"buy 20 0", text)


def test_sender_processes_tell_their_latencies_and_statuses(desk):
    desk.numbered(60)
    with Server(reply(odd_refused)) as server:
        desk.send(server, "--processes", "2")
    text = text_of(desk)
    assert "30 of 60 rows were delivered" in text
    assert re.search(r"200 30 .*?400 30 ", text)
    assert re.search(r"buy 30 30", text)


def test_a_killed_run_has_a_report_that_says_so(desk):
    desk.numbered(400)
    with Server() as server:
        options = ("--map", "map.toml", "--url", server.url, "--rate", "100/s", "--yes")
        with desk.spawn("send", "rows.csv", *options) as process:
            while len(server.bodies) < 150:
                assert process.poll() is None
            live = desk.type("report", "last")
            assert live.code == 0
            assert "Still running:" in text_of(desk)
            process.kill()
            process.communicate()
    assert desk.type("report", "last").code == 0
    text = text_of(desk)
    assert re.search(r"The run was killed: \d+ of 400 rows were delivered, \d+ are pending.", text)
    assert "Rows over time" in text
    assert f"replay resume {desk.runs[-1].name}" in text


def test_a_run_without_samples_and_without_its_sources_has_a_report(desk):
    desk.numbered(4)
    with Server(reply(odd_refused)) as server:
        desk.send(server)
    (desk.folder / "rows.csv").unlink()
    ledger_told(desk, "DELETE FROM samples")
    assert desk.type("report", "last").code == 0
    assert "How the run went over time is not known" in text_of(desk)
    assert "row 1 of rows.csv" in text_of(desk)
    (desk.folder / "replay-runs" / "ledger.sqlite").unlink()
    assert desk.type("report", "last").code == 0
    assert "2 of 4 rows were delivered" in text_of(desk)
    assert "is gone" in text_of(desk)


def test_samples_that_cannot_be_read_are_as_none(desk):
    desk.numbered(4)
    with Server() as server:
        desk.send(server)
    ledger_told(desk, "UPDATE samples SET text = '{broken'")
    assert desk.type("report", "last").code == 0
    assert "is not known" in text_of(desk)


def test_what_was_settled_stands_in_the_report(desk):
    desk.numbered(4)
    with Server(reply(lambda body: 500 if body["event"]["value"] == 2 else 200)) as server:
        desk.send(server)
    assert "1 did not get through, of which 1 may have arrived" in text_of(desk)
    desk.type("settle", "last", "--as", "delivered")
    assert "All 4 rows were delivered." in text_of(desk)


def without_pygal(desk, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments],
        cwd=desk.folder,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_without_the_extra_a_run_goes_on_and_says_once_what_to_install(desk):
    desk.numbered(3)
    with Server() as server:
        send = ("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes")
        code, _, err = without_pygal(desk, *send)
        assert (code, err.count("pip install 'hackle-replay[report]'")) == (0, 1)
        code, out, _ = without_pygal(desk, *send, "--again", "--json")
        assert (code, json.loads(out)["files"]["report"]) == (0, None)
    code, _, err = without_pygal(desk, "report", "last")
    assert code == 2
    assert "pip install 'hackle-replay[report]'" in err


def test_a_dry_run_leaves_no_report(desk):
    desk.numbered(3)
    assert desk.type("send", "rows.csv", "--map", "map.toml", "--dry-run", "--json").code == 0
    assert desk.type("report", "last").code == 2
