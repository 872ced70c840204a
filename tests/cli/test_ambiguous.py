"""Rows whose end is not known: held, resent or settled by the user's word, and never out of sight."""

import csv
import io
import json

import pytest
from cli.desk import MAP, Server
from cli.test_stops import adds_up
from sink.origin import Eof, Reply, Reset


def memos(server):
    return sorted(event["event"]["properties"]["memo"] for event in server.events)


class Fate:
    """Rows in `lost` are taken in, and their answer is not; each only for its first `times` requests."""

    def __init__(self, *lost, times=10**9, fault=None):
        self.lost, self.times, self.fault = lost, times, fault or Reset()
        self.asked = {}

    def __call__(self, request, _):
        value = json.loads(request.body)["event"]["value"]
        self.asked[value] = self.asked.get(value, 0) + 1
        return self.fault if value in self.lost and self.asked[value] <= self.times else Reply()


def failed(desk, run=-1):
    return list(csv.DictReader(io.StringIO(desk.failed(run=run).read_text())))


def resend(desk, server, *arguments):
    return desk.type("resend", *arguments, "--url", server.url, "--rate", "none", "--yes", "--json")


@pytest.mark.parametrize("fault", [Reset(), Eof(), Reply(500), Reply(503)])
def test_a_row_in_doubt_is_held_and_never_hides_behind_exit_0(desk, fault):
    desk.numbered(10)
    fate = Fate(4, fault=fault)
    with Server(fate) as server:
        ended = desk.send(server)
        assert (ended.code, ended.rows["ambiguous"], ended.rows["delivered"]) == (4, 1, 9)
        assert ended.json["possible_duplicates"] == 0
        for _ in range(2):
            again = desk.send(server)
            assert (again.code, again.rows["ambiguous"], again.rows["skipped"]) == (4, 1, 9)
            assert adds_up(again.json)
        assert desk.send(server, "--dry-run").rows["ambiguous"] == 1
    assert fate.asked[4] == 1
    assert [(row["memo"], row["_replay_outcome"]) for row in failed(desk, 0)] == [("row 4", "ambiguous")]


def test_on_ambiguous_resend_tries_again_and_counts_and_names_what_may_be_there_twice(desk):
    desk.numbered(10)
    fate = Fate(4, 6, times=1)
    with Server(fate) as server:
        ended = desk.type(
            *("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--rate", "none", "--yes"),
            *("--on-ambiguous", "resend", "--log-file", "log.jsonl"),
        )
        assert (ended.code, desk.summary["rows"]["delivered"], desk.summary["possible_duplicates"]) == (
            0,
            10,
            2,
        )
    assert "rows.csv row 4 was sent once more" in ended.err
    log = [json.loads(line) for line in (desk.folder / "log.jsonl").read_text().splitlines()]
    named = [(line["source"], line["row"]) for line in log if line["event"] == "possible-duplicate"]
    assert sorted(named) == [("rows.csv", 4), ("rows.csv", 6)]


def test_a_row_still_in_doubt_after_its_retries_is_ambiguous(desk):
    desk.numbered(3)
    fate = Fate(2)
    with Server(fate) as server:
        ended = desk.send(server, "--on-ambiguous", "resend", "--retries", "1")
    assert (ended.code, ended.rows["ambiguous"], fate.asked[2]) == (4, 1, 2)
    assert ended.json["possible_duplicates"] == 1


def test_resend_leaves_rows_in_doubt_and_says_how_many(desk):
    desk.numbered(10)
    fate = Fate(4)
    with Server(fate) as server:
        run = desk.send(server).json["run"]
        fate.lost = ()
        ended = resend(desk, server, run)
    assert (ended.code, ended.rows["read"], fate.asked[4]) == (0, 0, 1)
    assert "1 rows" in ended.err


def test_only_ambiguous_is_the_users_word_and_counts_as_a_possible_duplicate(desk):
    desk.numbered(10)
    fate = Fate(4)
    with Server(fate) as server:
        run = desk.send(server).json["run"]
        fate.lost = ()
        ended = resend(desk, server, run, "--only", "ambiguous")
        assert (ended.code, ended.rows["delivered"], ended.json["possible_duplicates"]) == (0, 1, 1)
        again = resend(desk, server, run, "--only", "ambiguous")
        assert (again.code, again.rows["skipped"]) == (0, 1)
        assert desk.send(server).rows["skipped"] == 10
    assert fate.asked[4] == 2


def test_a_row_in_doubt_twice_in_a_failed_file_is_not_sent_without_the_users_word(desk):
    desk.numbered(5)
    fate = Fate(4)
    with Server(fate) as server:
        desk.send(server)
        fate.lost = ()
        header, line = desk.failed().read_text().splitlines()
        line = line.replace("ambiguous", "rejected")
        desk.write("twice.csv", "\n".join((header, line, line, "")))
        ended = resend(desk, server, "twice.csv")
    assert (ended.code, ended.rows["ambiguous"], ended.rows["skipped"], fate.asked[4]) == (4, 1, 1, 1)


def test_a_status_alone_is_not_the_users_word(desk):
    desk.numbered(5)
    fate = Fate(4, fault=Reply(500))
    with Server(fate) as server:
        run = desk.send(server).json["run"]
        ended = resend(desk, server, run, "--only", "500")
    assert (ended.code, ended.rows["ambiguous"], fate.asked[4]) == (4, 1, 1)


@pytest.mark.parametrize("verdict", ["delivered", "undelivered"])
def test_what_the_user_found_out_settles_rows_for_every_command(desk, verdict):
    desk.csv(*(f"buy,user{n},{n},row {n}" for n in range(1, 11)), "short", "buy,u,none,m")
    fate = Fate(4, 6)
    with Server(fate) as server:
        run = desk.send(server).json["run"]
        held = desk.send(server)
        settled = desk.type("settle", run, "--as", verdict, "--json")
        assert settled.code == 3
        assert adds_up(settled.json)
        assert settled.json == desk.type("resume", run, "--json").json
        fate.lost = ()
        if verdict == "delivered":
            assert (settled.rows["delivered"], settled.rows["ambiguous"]) == (10, 0)
            assert [row["memo"] for row in failed(desk, 0)] == ["m"]
            assert desk.send(server).rows["skipped"] == 10
        else:
            assert (settled.rows["exhausted"], settled.rows["ambiguous"]) == (2, 0)
            assert [row["_replay_outcome"] for row in failed(desk, 0)] == [
                "exhausted",
                "exhausted",
                "invalid",
            ]
            ended = resend(desk, server, run, "--only", "exhausted")
            assert (ended.rows["delivered"], ended.json["possible_duplicates"]) == (2, 0)
            assert desk.send(server).rows["skipped"] == 10
    assert held.rows["ambiguous"] == 2
    assert fate.asked[4] == (1 if verdict == "delivered" else 2)


def test_a_file_settles_its_own_rows_alone(desk):
    desk.numbered(10)
    with Server(Fate(4, 6)) as server:
        run = desk.send(server).json["run"]
    header, first, _ = desk.failed().read_text().splitlines()
    desk.write("found.csv", f"{header}\n{first}\n")
    settled = desk.type("settle", run, "found.csv", "--as", "delivered", "--json")
    assert (settled.code, settled.rows["ambiguous"], settled.rows["delivered"]) == (4, 1, 9)
    assert [row["memo"] for row in failed(desk)] == ["row 6"]
    nothing = desk.type("settle", run, "found.csv", "--as", "delivered", "--json")
    assert (nothing.code, nothing.json["error"]["kind"]) == (2, "usage")
    desk.write("none.csv", header + "\n")
    assert desk.type("settle", run, "none.csv", "--as", "delivered", "--json").code == 2
    assert desk.type("settle", run, "--json").code == 2


def test_a_run_whose_source_is_gone_can_be_settled_all_the_same(desk):
    path = desk.numbered(10)
    with Server(Fate(4)) as server:
        run = desk.send(server).json["run"]
    path.unlink()
    settled = desk.type("settle", run, "--as", "delivered", "--json")
    assert (settled.code, settled.rows["delivered"]) == (0, 10)


def test_an_id_is_the_same_in_every_sending_of_a_row_and_in_the_preview(desk):
    desk.numbered(30)
    desk.write("map.toml", MAP.replace('memo = "memo"', 'memo = "memo"\nreplayId = { replay = "id" }'))
    fate = Fate(4)
    with Server(fate) as server:
        shown = desk.type("preview", "rows.csv", "--map", "map.toml", "-n", "30")
        run = desk.send(server).json["run"]
        fate.lost = ()
        resend(desk, server, run, "--only", "ambiguous")
        bodies = [json.loads(request.body) for request in server.origin.requests]
    ids = {}
    for body in bodies:
        ids.setdefault(body["event"]["value"], set()).add(body["event"]["properties"]["replayId"])
    assert all(len(same) == 1 for same in ids.values())
    assert len(set.union(*ids.values())) == 30
    previewed = [json.loads(line)["event"] for line in shown.out.splitlines()]
    assert {event["value"]: {event["properties"]["replayId"]} for event in previewed} == ids
    assert ids[4] == {failed(desk, 0)[0]["_replay_id"]}
