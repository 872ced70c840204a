"""A delivered row is not sent again: over all runs, whatever the command or the file's name."""

import gzip
import subprocess

import pytest
from cli.desk import HEADER, MAP, Server, reply
from cli.test_stops import adds_up, ended, hangs, started
from sink.origin import Reply, Reset

COMMON = ("--map", "map.toml", "--rate", "none", "--yes", "--json")


def memos(server):
    return [event["event"]["properties"]["memo"] for event in server.events]


def skipped(ended, cause):
    """How many rows a run left out for this cause; the counts of the run add up."""
    assert adds_up(ended.json)
    return sum(one["rows"] for one in ended.json["reasons"] if one["reason"] == cause)


def resend(desk, server, *arguments):
    return desk.type("resend", *arguments, "--url", server.url, "--rate", "none", "--yes", "--json")


def refuse(*rows):
    return reply(lambda body: 400 if body["event"]["value"] in rows else 200)


def grow(desk, rows, more, name="rows.csv"):
    path = desk.folder / name
    path.write_text(
        path.read_text() + "".join(f"buy,user{n},{n},row {n}\n" for n in range(rows + 1, rows + more + 1))
    )


def test_the_same_file_sent_twice_is_sent_once(desk):
    desk.numbered(30)
    with Server() as server:
        assert desk.send(server).code == 0
        again = desk.send(server)
    assert len(server.bodies) == 30
    assert (again.code, skipped(again, "delivered-before")) == (0, 30)
    assert "1 earlier run known" in again.err


@pytest.mark.parametrize("name", ["other.csv", "rows.csv.gz", "below/rows.csv"])
def test_another_name_folder_or_compression_is_the_same_content(desk, name):
    content = desk.numbered(30).read_bytes()
    (desk.folder / "below").mkdir()
    desk.write(name, gzip.compress(content) if name.endswith(".gz") else content)
    with Server() as server:
        desk.send(server)
        again = desk.send(server, source=name)
    assert (len(server.bodies), skipped(again, "delivered-before")) == (30, 30)


def test_the_same_content_plain_and_compressed_in_one_glob_is_sent_once(desk):
    content = desk.csv(*(f"buy,user{n},{n},row {n}" for n in range(30)), "short", "buy,u,none,m").read_bytes()
    desk.write("rows.csv.gz", gzip.compress(content))
    with Server() as server:
        planned = desk.send(server, "--dry-run", source="rows.*")
        sent = desk.send(server, source="rows.*")
    assert len(server.bodies) == 30
    assert (sent.code, skipped(sent, "same-content"), sent.rows["read"]) == (3, 32, 64)
    assert (planned.rows["pending"], planned.rows["invalid"], skipped(planned, "same-content")) == (30, 2, 32)
    assert len((desk.folder / sent.json["files"]["unreadable"]).read_text().splitlines()) == 1


@pytest.mark.parametrize("rows", [1, 3, 19, 25, 300])
def test_a_file_that_grew_sends_what_is_new(desk, rows):
    desk.numbered(rows)
    with Server() as server:
        desk.send(server)
        grow(desk, rows, 4)
        assert desk.send(server).rows["delivered"] == 4
        grow(desk, rows + 4, 1)
        again = desk.send(server)
    assert (again.rows["delivered"], skipped(again, "delivered-before")) == (1, rows + 4)
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, rows + 6))


def test_a_file_whose_last_line_was_still_being_written_sends_the_rest_of_it_once(desk):
    path = desk.numbered(5)
    path.write_text(path.read_text() + "buy,user6,6")
    with Server() as server:
        assert desk.send(server).rows["invalid"] == 1
        path.write_text(path.read_text() + ",row 6\nbuy,user7,7,row 7\n")
        assert desk.send(server).rows["delivered"] == 2
    assert sorted(memos(server)) == [f"row {n}" for n in range(1, 8)]


def test_a_file_and_what_it_began_as_are_refused_together(desk):
    desk.numbered(3, name="a.csv")
    desk.numbered(5, name="b.csv")
    with Server() as server:
        ended = desk.type("send", "a.csv", "b.csv", "--url", server.url, *COMMON)
    assert (ended.code, ended.json["error"]["kind"], server.bodies) == (2, "usage", [])
    assert "b.csv begins with all of a.csv" in ended.json["error"]["message"]


def test_a_file_that_changed_in_the_middle_is_refused_in_words_and_sent_with_again(desk):
    path = desk.numbered(60)
    with Server() as server:
        desk.send(server)
        path.write_text(path.read_text().replace("row 40", "changed"))
        refused = desk.send(server)
        assert (refused.code, len(server.bodies)) == (2, 60)
        assert "resend" in refused.json["error"]["message"]
        assert desk.send(server, "--again").rows["delivered"] == 60


def test_another_mapping_is_refused_in_words_and_sent_with_again(desk):
    desk.numbered(30)
    with Server() as server:
        desk.send(server)
        desk.write("map.toml", MAP.replace('memo = "memo"', 'note = "memo"'))
        refused = desk.send(server)
        assert (refused.code, len(server.bodies)) == (2, 30)
        assert "another mapping" in refused.json["error"]["message"]
        assert desk.send(server, "--again").rows["delivered"] == 30


def test_another_key_is_refused_unless_it_is_said_what_it_opens(desk, monkeypatch):
    desk.numbered(10)
    with Server() as server:
        desk.send(server)
        monkeypatch.setenv("HACKLE_API_KEY", "rotated")
        refused = desk.send(server)
        assert (refused.code, refused.json["error"]["kind"]) == (2, "usage")
        assert "--same-target" in refused.json["error"]["message"]
        same = desk.send(server, "--same-target")
        assert (same.code, skipped(same, "delivered-before"), len(server.bodies)) == (0, 10, 10)
        assert desk.send(server).rows["skipped"] == 10  # said once is enough
        monkeypatch.setenv("HACKLE_API_KEY", "of-another-environment")
        assert desk.send(server, "--again").rows["delivered"] == 10
        assert desk.send(server).rows["skipped"] == 10
    assert len(server.bodies) == 20
    assert b"rotated" not in (desk.folder / "replay-runs" / "ledger.sqlite").read_bytes()


def test_a_sandbox_rehearsal_and_a_dry_run_count_for_nothing(desk):
    desk.numbered(10)
    with Server() as server:
        assert desk.send(server, "--sandbox").rows["delivered"] == 10
        assert desk.send(server, "--sandbox").rows["delivered"] == 10
        assert desk.send(server, "--dry-run").rows["pending"] == 10
        assert desk.send(server).rows["delivered"] == 10
    assert len(server.bodies) == 10


def test_a_dry_run_reads_the_ledger_and_writes_nothing_in_it(desk, monkeypatch):
    desk.csv(*(f"buy,user{n},{n},row {n}" for n in range(1, 11)), "buy,u,none,m", "short")
    with Server(refuse(3)) as server:
        desk.send(server)
        monkeypatch.delenv("HACKLE_API_KEY")
        ledger = desk.folder / "replay-runs" / "ledger.sqlite"
        before = ledger.read_bytes(), sorted(path.name for path in (desk.folder / "replay-runs").iterdir())
        dry = desk.send(server, "--dry-run")
    assert (dry.code, dry.json["state"], dry.json["run"]) == (3, "dry-run", None)
    assert (skipped(dry, "delivered-before"), dry.rows["pending"], dry.rows["invalid"]) == (9, 1, 2)
    assert before == (
        ledger.read_bytes(),
        sorted(path.name for path in (desk.folder / "replay-runs").iterdir()),
    )


def test_what_a_resend_delivered_no_command_sends_again(desk):
    desk.numbered(20)
    answers = {"refused": (3, 7)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        run = desk.send(server).json["run"]
        answers["refused"] = ()
        assert resend(desk, server, run).rows["delivered"] == 2
        again = resend(desk, server, run)
        assert (again.code, again.rows["read"], skipped(again, "delivered-before")) == (0, 2, 2)
        assert skipped(desk.send(server), "delivered-before") == 20
    assert len(server.bodies) == 20


def test_a_send_takes_up_what_was_refused_and_a_resend_then_finds_it_delivered(desk):
    desk.numbered(20)
    answers = {"refused": (3, 7)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        run = desk.send(server).json["run"]
        answers["refused"] = ()
        assert desk.send(server).rows["delivered"] == 2
        assert resend(desk, server, run).rows["skipped"] == 2
    assert len(server.bodies) == 20


def test_a_row_that_stands_twice_in_a_failed_file_is_sent_once(desk):
    desk.numbered(5)
    answers = {"refused": (3,)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        desk.send(server)
        answers["refused"] = ()
        header, line = desk.failed().read_text().splitlines()
        twice = desk.write("twice.csv", "\n".join((header, line, line, line, "")))
        ended = resend(desk, server, twice)
    assert (ended.rows["delivered"], skipped(ended, "same-content"), len(server.bodies)) == (1, 2, 5)


def test_a_stopped_run_then_a_send_then_a_resume_send_each_row_once(desk):
    desk.numbered(60)
    answers = {"most": 20}
    with Server(lambda _, number: Reply(200 if number < answers["most"] else 401)) as server:
        stopped = desk.send(server, "--concurrency", "4")
        assert (stopped.code, stopped.json["stopped_by"]) == (1, "auth")
        answers["most"] = 10_000
        sent = desk.send(server)
        assert (sent.rows["delivered"], skipped(sent, "delivered-before")) == (40, 20)
        resumed = desk.type("resume", stopped.json["run"], "--json")
    assert (resumed.code, resumed.json["state"], resumed.rows["delivered"]) == (0, "finished", 20)
    assert skipped(resumed, "delivered-before") == 40
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, 61))


def test_of_two_sends_at_once_one_is_refused(desk):
    desk.numbered(100)
    with Server(hangs(1.0)) as server:
        process = started(desk, server, "--concurrency", "2")
        server.until_in_flight(2)
        for other in (
            desk.send(server),
            desk.type("resume", "last", "--json"),
            resend(desk, server, "last"),
            desk.type("settle", "last", "--as", "delivered", "--json"),
        ):
            assert (other.code, other.json["error"]["kind"]) == (1, "busy"), other
        process.terminate()
        assert ended(process)[0] == 130
        run = desk.runs[-1].name
        assert desk.type("resume", run, "--json", "--concurrency", "32").code == 0
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, 101))


def test_a_limit_sends_the_next_rows_each_time(desk):
    desk.numbered(10)
    with Server() as server:
        delivered = [desk.send(server, "--limit", "4").rows["delivered"] for _ in range(4)]
    assert delivered == [4, 4, 2, 0]
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, 11))


def test_a_sample_takes_whole_users_the_same_each_time_and_the_rest_follows(desk):
    desk.csv(*(f"buy,user{n % 40},{n},row {n}" for n in range(200)))
    with Server() as server:
        sample = desk.send(server, "--sample-users", "30%")
        users = {event["user"]["userId"] for event in server.events}
        assert 0 < len(users) < 40
        assert len(server.bodies) == sample.rows["delivered"] == 5 * len(users)
        assert skipped(sample, "sample") == 200 - 5 * len(users)
        assert desk.send(server, "--sample-users", "30%").rows["delivered"] == 0
        assert desk.send(server).rows["delivered"] == 200 - 5 * len(users)
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(200))


def test_a_ledger_of_its_own_knows_what_it_was_told_and_nothing_else(desk):
    desk.numbered(5)
    with Server() as server:
        desk.send(server, "--ledger", "mine.sqlite")
        assert (
            desk.send(server, "--ledger", "sqlite:///mine.sqlite", "--runs", "elsewhere").rows["skipped"] == 5
        )
        assert desk.send(server).rows["delivered"] == 5
    refused = desk.send(server, "--ledger", "mysql://me:s3cret@host/db")
    assert refused.code == 2
    assert "s3cret" not in refused.out + refused.err


def test_standard_input_is_known_again(desk):
    content = desk.numbered(10).read_text()
    with Server() as server:
        arguments = ("send", "-", "--format", "csv", "--url", server.url, *COMMON)
        for _ in range(2):
            with desk.spawn(*arguments, stdin=subprocess.PIPE) as process:
                process.communicate(content, timeout=300)
        assert process.returncode == 0
        assert desk.send(server).rows["skipped"] == 10
    assert len(server.bodies) == 10


def test_a_header_alone_and_a_file_of_unreadable_rows_are_runs_without_a_request(desk):
    desk.write("map.toml", MAP)
    desk.write("rows.csv", HEADER + "\n")
    with Server() as server:
        assert [desk.send(server).code for _ in range(2)] == [0, 0]
        desk.write("rows.csv", HEADER + "\nshort\nshorter\n")
        for _ in range(2):
            ended = desk.send(server)
            assert (ended.code, ended.rows["invalid"], ended.rows["pending"]) == (3, 2, 0)
            assert adds_up(ended.json)
    assert not server.origin.requests


def test_a_row_that_was_in_doubt_in_one_run_is_not_sent_by_another(desk):
    desk.numbered(10)
    with Server([Reset(), Reply()]) as server:
        first = desk.send(server, "--concurrency", "1")
        second = desk.send(server)
    assert (first.code, second.code) == (4, 4)
    assert (second.rows["ambiguous"], second.rows["skipped"], len(server.origin.requests)) == (1, 9, 10)
    assert f"left ambiguous by run {first.json['run']}" in desk.failed().read_text()
