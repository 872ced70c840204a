"""The part of a file that was read belongs to its rows, and it is read as it was read before."""

import json
import sqlite3

import pytest
from cli.desk import MAP, Server, reply
from cli.test_sent_before import memos, resend, skipped
from cli.test_stops import ended, hangs, started

from replay.pipeline.identity import content_of
from replay.settings import ReadSettings
from replay.source import Source, fingerprint_of

IDS = MAP.replace('memo = "memo"', 'memo = "memo"\nid = { replay = "id" }')
COLUMNS = ("--columns", "name,user,amount,memo", "--set", "event.key=name", "--new-mapping")


def message(ended):
    return ended.json["error"]["message"]


def pages(desk, a=3, b=5, name="pages.json"):
    """One file with two arrays, whose first rows are equal."""
    desk.write("map.toml", MAP)

    def rows(array, count):
        return [{"event": "buy", "user": f"u{n}", "amount": n, "memo": f"{array} {n}"} for n in range(count)]

    same = [{"event": "buy", "user": "u", "amount": 1, "memo": "in both"}]
    return desk.write(name, json.dumps({"a": same + rows("a", a), "b": {"rows": same + rows("b", b)}}))


def send(desk, server, path, *arguments, source="pages.json"):
    return desk.send(server, "--records", path, *arguments, source=source)


def as_format_1_knows(desk):
    """Let the ledger know the file as format 1 did: without the part."""
    path = desk.folder / "pages.json"
    content = content_of(fingerprint_of(Source(path.name, path), ReadSettings()))
    with sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite") as ledger:
        ((uid,),) = ledger.execute("SELECT uid FROM contents")
        ledger.execute("UPDATE contents SET format = 1, uid = ?", (content.uid,))
        ledger.execute("UPDATE run_copies SET format = 1")
        for gone in ("versions", "heads", "readings"):
            ledger.execute(f"DELETE FROM {gone}")
        ledger.execute(
            "INSERT INTO versions VALUES (?, ?, 1, 1, ?, 'x')",
            (content.length, content.digest, content.length),
        )
    ledger.close()
    for name in ("run.toml", "failed/pages.json"):
        if (record := desk.runs[-1] / name).is_file():
            record.write_text(record.read_text().replace(uid, content.uid))


@pytest.mark.parametrize("processes", ["1", "2"])
def test_two_arrays_of_one_file_are_different_rows(desk, processes):
    pages(desk)
    with Server() as server:
        first = send(desk, server, "a", "--processes", processes)
        second = send(desk, server, "b.rows", "--processes", processes)
        assert (first.rows["delivered"], second.rows["delivered"]) == (4, 6)
        for path, rows in (("a", 4), ("b.rows", 6)):
            again = send(desk, server, path)
            assert (again.code, skipped(again, "delivered-before")) == (0, rows)
    assert len(server.bodies) == 10


def test_ids_name_the_part(desk):
    pages(desk)
    desk.write("map.toml", IDS)
    with Server() as server:
        shown = desk.type("preview", "pages.json", "--records", "a", "--map", "map.toml", "-n", "1")
        send(desk, server, "a")
        send(desk, server, "b.rows")
        ids = [event["event"]["properties"]["id"] for event in server.events]
    assert len(set(ids)) == 10
    assert json.loads(shown.out.splitlines()[0])["event"]["properties"]["id"] == ids[0]


def test_the_same_part_twice_in_one_command_is_sent_once(desk):
    content = pages(desk).read_bytes()
    desk.write("copy.json", content)
    with Server() as server:
        sent = desk.type(
            "send", "pages.json", "copy.json", "--records", "a",
            "--map", "map.toml", "--url", server.url, "--yes", "--json",
        )  # fmt: skip
    assert (sent.rows["delivered"], skipped(sent, "same-content"), len(server.bodies)) == (4, 4, 4)


def test_failed_rows_of_a_part_are_sent_again_as_rows_of_that_part(desk):
    pages(desk)
    answers = {"refused": ("b 2",)}

    def choose(body):
        return 400 if body["event"]["properties"]["memo"] in answers["refused"] else 200

    with Server(reply(choose)) as server:
        send(desk, server, "a")
        run = send(desk, server, "b.rows").json["run"]
        answers["refused"] = ()
        assert resend(desk, server, run).rows["delivered"] == 1
        assert send(desk, server, "b.rows").rows["skipped"] == 6
        assert send(desk, server, "a").rows["skipped"] == 4
    assert len(server.bodies) == 10


def test_a_run_over_a_part_goes_on_where_it_stopped(desk):
    pages(desk, b=40)
    answers = {"most": 10}
    with Server(reply(lambda _: 200 if len(server.origin.requests) <= answers["most"] else 401)) as server:
        send(desk, server, "a")
        stopped = send(desk, server, "b.rows", "--concurrency", "1")
        assert stopped.code == 1
        answers["most"] = 1000
        resumed = desk.type("resume", "last", "--json")
    assert (resumed.code, resumed.rows["delivered"]) == (0, 41)
    assert len(server.bodies) == 45


def test_another_part_may_be_sent_meanwhile_and_the_same_may_not(desk):
    pages(desk, a=30, name="rows.csv")
    with Server(hangs(1.0)) as server:
        process = started(desk, server, "--concurrency", "2", "--records", "a")
        server.until_in_flight(2)
        busy = send(desk, server, "a", source="rows.csv")
        assert (busy.code, busy.json["error"]["kind"]) == (1, "busy")
        assert send(desk, server, "b.rows", source="rows.csv").rows["delivered"] == 6
        process.terminate()
        assert ended(process)[0] == 130


def test_rows_that_an_older_version_sent_count_for_any_part_and_the_plan_says_so(desk):
    pages(desk)
    with Server() as server:
        send(desk, server, "a")
        as_format_1_knows(desk)
        for path in ("a", "b.rows"):
            again = send(desk, server, path, "--limit", "1")
            assert skipped(again, "delivered-before") == 4, again
            assert "older version, which did not note --records" in again.err
    assert len(set(memos(server))) == len(server.bodies)


def test_a_run_that_an_older_version_began_goes_on_and_its_failed_rows_are_sent_again(desk):
    pages(desk, a=20)
    answers = {"refused": ("a 2",), "most": 10}

    def choose(body):
        if len(server.origin.requests) > answers["most"]:
            return 401
        return 400 if body["event"]["properties"]["memo"] in answers["refused"] else 200

    with Server(reply(choose)) as server:
        assert send(desk, server, "a", "--concurrency", "1").code == 1
        as_format_1_knows(desk)
        answers["most"] = 1000
        resumed = desk.type("resume", "last", "--json")
        assert (resumed.code, resumed.rows["delivered"], resumed.rows["rejected"]) == (3, 20, 1)
        answers["refused"] = ()
        assert resend(desk, server, "last").rows["delivered"] == 1
        assert send(desk, server, "a").rows["skipped"] == 21
    assert len(server.bodies) == 21


def quoted(desk):
    """A table with a line end inside quotes."""
    return desk.csv(
        *(f"buy,user{n},{n},row {n}" for n in range(4)), 'buy,user9,9,"two\nlines"', "buy,u,1,last"
    )


@pytest.mark.parametrize(
    ("typed", "names"),
    [(COLUMNS, "--columns"), (("--quotechar", ""), "--quotechar")],
)
def test_an_option_that_moves_rows_is_refused_once_rows_arrived(desk, typed, names):
    quoted(desk)
    with Server() as server:
        run = desk.send(server).json["run"]
        refused = desk.send(server, *typed)
    assert (refused.code, len(server.bodies)) == (2, 6), refused
    assert names in message(refused)
    assert run in message(refused)


@pytest.mark.parametrize("more", ["", "buy,user9,9,row 9\n"])
def test_an_option_that_was_typed_before_is_asked_for(desk, more):
    path = desk.write("rows.csv", "".join(f"buy,user{n},{n},row {n}\n" for n in range(5)))
    without = ("--set", "event.key=buy", "--set", "user.userId=user0", "--new-mapping")
    with Server() as server:
        common = ("--url", server.url, "--rate", "none", "--yes", "--json")
        desk.type("send", "rows.csv", *COLUMNS, "--set", "user.userId=user", "--limit", "3", *common)
        path.write_text(path.read_text() + more)
        refused = desk.type("send", "rows.csv", *without, *common)
    assert (refused.code, len(server.bodies)) == (2, 3)
    assert "Add the options" in message(refused)


@pytest.mark.parametrize(
    "typed", [("--delimiter", ","), ("--encoding", "cp949"), ("--format", "csv"), ("--quotechar", '"')]
)
def test_an_option_that_moves_no_row_is_taken(desk, typed):
    quoted(desk)
    with Server() as server:
        desk.send(server, "--limit", "2")
        sent = desk.send(server, *typed)
    assert (sent.code, sent.rows["delivered"], len(server.bodies)) == (0, 4, 6), sent


def test_rows_that_moved_are_refused_in_a_file_that_grew_too(desk):
    path = quoted(desk)
    with Server() as server:
        desk.send(server)
        path.write_text(path.read_text() + "buy,more,1,more\n")
        assert desk.send(server, *COLUMNS).code == 2
        assert desk.send(server).rows["delivered"] == 1


def test_a_file_of_which_no_row_arrived_may_be_read_otherwise(desk):
    quoted(desk)
    answers = {"status": 400}
    with Server(reply(lambda _: answers["status"])) as server:
        assert desk.send(server, "--quotechar", "").rows["delivered"] == 0
        answers["status"] = 200
        assert desk.send(server).rows["delivered"] == 6
