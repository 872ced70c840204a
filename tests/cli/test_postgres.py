"""A ledger in Postgres, without a cluster: the same commands, the same promise, and no password kept."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from cli.desk import Desk, Server, reply
from postgres import LOCKED, PASSWORD
from sink.origin import Reply

if TYPE_CHECKING:
    import pytest
    from postgres import Server as Postgres


def test_what_was_delivered_is_known_and_what_is_in_doubt_can_be_settled(
    desk: Desk, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.numbered(30)
    choose = {3: 400, 4: 500}
    with Server(reply(lambda body: choose.get(body["event"]["value"], 200))) as server:
        first = desk.send(server, "--ledger", postgres.url)
        again = desk.send(server, "--ledger", postgres.url)
        monkeypatch.setenv("PGUSER", "tester")
        settled = desk.type("settle", "last", "--as", "delivered", "--json")
        resent = desk.type(
            "resend", desk.runs[0].name, "--ledger", postgres.url, "--yes", "--json", "--url", server.url
        )
        runs = desk.type("runs")
    assert (first.code, first.rows["delivered"], first.rows["rejected"], first.rows["ambiguous"]) == (
        4,
        28,
        1,
        1,
    )
    assert (again.rows["skipped"], again.rows["ambiguous"]) == (28, 1)
    assert settled.rows["ambiguous"] == 0, settled
    assert resent.rows["rejected"] == 1, resent
    assert runs.code == 0


def test_a_killed_run_is_known_to_be_dead_at_once_where_it_ran(desk: Desk, postgres: Postgres) -> None:
    desk.numbered(300)
    with Server([Reply(delay=0.2)]) as server:
        common = (
            "--map",
            "map.toml",
            "--url",
            server.url,
            "--yes",
            "--concurrency",
            "8",
            "--ledger",
            postgres.url,
        )
        with desk.spawn("send", "rows.csv", *common, "--rate", "none") as process:
            server.until_in_flight(8)
            process.send_signal(signal.SIGKILL)
            process.communicate()
        server.origin.answers = [Reply()]
        resumed = desk.type("resume", "last", "--json", "--ledger", postgres.url)
    assert resumed.rows["pending"] == 0, resumed
    assert resumed.rows["ambiguous"] <= 8
    assert resumed.rows["delivered"] == 300 - resumed.rows["ambiguous"]


def test_no_password_is_kept_or_shown_and_options_are_asked_for_again(desk: Desk, postgres: Postgres) -> None:
    desk.numbered(5)
    address = postgres.url.replace("tester@", f"{LOCKED}:{PASSWORD}@") + "?sslmode=prefer"
    with Server(lambda _, number: Reply(401 if number == 2 else 200)) as server:
        said = [
            desk.send(server, "--ledger", address, "--concurrency", "1"),
            desk.send(server, "--ledger", address.replace(PASSWORD, "wrong")),
            desk.send(server, "--ledger", address.replace(str(postgres.port), "1")),
            desk.send(server, "--ledger", f"postgresql://u:{PASSWORD}@h:port/d"),
            desk.send(server, "--ledger", f"postgresql://h/d?{PASSWORD}"),
            desk.send(server, "--ledger", f"postgresql://u:a/{PASSWORD}@h/d"),
            desk.send(server, "--ledger", f"postgresql://u:a@{PASSWORD}@h/d"),
            desk.send(server, "--ledger", f"postgresql://u:{PASSWORD}?a@h/d"),
            desk.type("resume", "last", "--json"),
            desk.type("resume", "last", "--json", "--ledger", address),
        ]
    assert [one.code for one in said] == [1, 1, 1, *[2] * 6, 0]
    assert "PGPASSWORD" in said[1].out
    assert "cannot be reached" in said[2].out
    assert "Give it again" in said[8].out
    kept = [path.read_text() for path in desk.folder.glob("replay-runs/**/*") if path.is_file()]
    told = [*kept, *(one.out + one.err for one in said)]
    assert not [text for text in told if PASSWORD in text]


def test_a_server_that_goes_away_stops_the_run_and_resume_goes_on(desk: Desk, postgres: Postgres) -> None:
    desk.numbered(400)
    with Server([Reply(delay=0.02)]) as server:
        common = ("--map", "map.toml", "--url", server.url, "--yes", "--json", "--ledger", postgres.url)
        with desk.spawn("send", "rows.csv", *common, "--rate", "200/s") as process:
            server.until_in_flight(2)
            postgres.kill()
            out, err = process.communicate(timeout=300)
        postgres.start()
        assert '"stopped_by": "storage"' in out, err
        reached = len(server.origin.requests)
        resumed = desk.type("resume", "last", "--json", "--rate", "none", "--ledger", postgres.url)
    assert resumed.rows["pending"] == 0, resumed
    assert resumed.rows["delivered"] + resumed.rows["ambiguous"] == 400
    assert len(server.origin.requests) <= 400
    assert resumed.rows["ambiguous"] <= reached
