"""A failed file that a person edited is never overwritten, and its values are the ones that are sent."""

import json
import shutil
import time

import pytest
from cli.desk import Server
from cli.test_ids import RUN, edited, one_ambiguous, rows_of, usage_error
from cli.test_resend import memos, refused, resend
from sink.origin import Reply, Reset


def fix(path, old="row 3", new="fixed 3"):
    path.write_text(path.read_text().replace(old, new))
    return path


def settled(desk, run, verdict="undelivered"):
    return desk.type("settle", run, "--as", verdict, "--json")


def test_settling_keeps_an_edited_failed_file_and_its_values_are_sent(desk):
    path = fix(one_ambiguous(desk))
    run, text = desk.runs[-1].name, path.read_bytes()
    ended = settled(desk, run)
    assert ended.code == 3
    aside = path.with_name("rows.csv.edited")
    assert aside.read_bytes() == text
    assert [row["memo"] for row in rows_of(path)] == ["row 2", "row 3"]
    with Server() as server:
        assert "failed/rows.csv.edited" in usage_error(resend(desk, server, run))
        assert server.events == []
        assert resend(desk, server, aside).code == 0
        assert memos(server) == ["fixed 3"]
        assert resend(desk, server, run).code == 0
    assert memos(server) == ["fixed 3", "row 2"]


def test_the_command_for_an_edited_file_is_printed_until_it_was_sent(desk):
    path = fix(one_ambiguous(desk))
    run = desk.runs[-1].name
    said = desk.type("settle", run, "--as", "undelivered")
    assert ".edited" in desk.type("resume", run).out
    command = next(line for line in said.out.splitlines() if "edited" in line).partition("replay ")[2].split()
    with Server() as server:
        assert desk.type(*command, "--url", server.url, "--rate", "none", "--yes").code == 0
    assert path.exists()
    assert ".edited" not in desk.type("resume", run).out


def test_a_file_that_was_not_edited_is_written_again_without_a_copy(desk):
    path = one_ambiguous(desk)
    settled(desk, desk.runs[-1].name)
    assert [row["_replay_outcome"] for row in rows_of(path)] == ["exhausted", "rejected"]
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.csv"]


def test_a_file_that_a_spreadsheet_saved_without_a_change_is_not_edited(desk):
    path = one_ambiguous(desk)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    settled(desk, desk.runs[-1].name)
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[1:],
        lambda rows: rows[:1],
        lambda rows: rows[::-1],
        lambda rows: [row | {"_replay_id": ""} for row in rows],
        lambda rows: [
            {("memos" if name == "memo" else name): cell for name, cell in row.items()} for row in rows
        ],
    ],
    ids=["first row removed", "last row removed", "sorted", "ids emptied", "column renamed"],
)
def test_whatever_a_person_changed_is_kept(desk, change):
    path = edited(one_ambiguous(desk), change)
    text = path.read_bytes()
    settled(desk, desk.runs[-1].name)
    assert path.with_name("rows.csv.edited").read_bytes() == text


def test_a_second_edit_gets_a_name_of_its_own(desk):
    desk.numbered(4)
    with Server(lambda request, _: Reply(400) if b"row 4" in request.body else Reset()) as server:
        desk.send(server)
    path, run = desk.failed(), desk.runs[-1].name
    only = desk.write("only.csv", path.read_bytes())
    edited(only, lambda rows: [row for row in rows if row["memo"] == "row 2"])
    fix(path, "row 4", "first")
    assert desk.type("settle", run, only, "--as", "undelivered", "--json").code == 4
    fix(path, "row 4", "second")
    settled(desk, run)
    assert "first" in path.with_name("rows.csv.edited").read_text()
    assert "second" in path.with_name("rows.csv.edited-2").read_text()


def test_resuming_keeps_a_file_that_was_edited_meanwhile(desk):
    stopped = {"now": True}

    def answer(request, _):
        if b"row 1" in request.body:
            return Reply(400)
        return Reply(401 if stopped["now"] else 400)

    desk.numbered(3)
    with Server(answer) as server:
        ended = desk.send(server, "--concurrency", "1")
        assert (ended.code, ended.json["stopped_by"]) == (1, "auth")
        text = fix(desk.failed(), "row 1", "fixed 1").read_bytes()
        stopped["now"] = False
        ended = desk.type("resume", "last", "--json")
    assert ended.code == 3
    assert desk.failed().with_name("rows.csv.edited").read_bytes() == text
    assert [row["memo"] for row in rows_of(desk.failed())] == ["row 1", "row 2", "row 3"]


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_resend_after_a_kill_keeps_what_was_edited_and_takes_nothing_else_for_edited(desk, is_edited):
    desk.numbered(4)

    def answer(request, _):
        return Reply(delay=50) if b"row 4" in request.body else Reply(400)

    with Server(answer) as server:
        arguments = (
            "--map",
            "map.toml",
            "--url",
            server.url,
            "--yes",
            "--rate",
            "none",
            "--concurrency",
            "1",
        )
        with desk.spawn("send", "rows.csv", *arguments) as process:
            while not (parts := list(desk.folder.glob("replay-runs/*/failed/rows.csv.part"))) or (
                parts[0].read_text().count("\n") < 4
            ):
                assert process.poll() is None
                time.sleep(0.02)
            process.kill()
            process.communicate()
        (part,) = parts
        if is_edited:
            fix(part, "row 2", "fixed 2")
        text = part.read_bytes()
        run = desk.runs[-1].name
    with Server() as server:
        ended = resend(desk, server, run)
        if is_edited:
            aside = desk.failed(run=0).with_name("rows.csv.edited")
            assert aside.read_bytes() == text
            assert "rows.csv.edited" in usage_error(ended)
            ended = resend(desk, server, aside)
            assert sorted(memos(server)) == ["fixed 2", "row 1", "row 3"]
        else:
            assert ended.code == 0
            assert sorted(memos(server)) == ["row 1", "row 2", "row 3"]
            assert list(desk.runs[0].glob("failed/*.edited*")) == []


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_file_of_the_version_before_is_compared_with_its_source(desk, is_edited):
    path = one_ambiguous(desk)
    edited(path, lambda rows: [{name: cell for name, cell in row.items() if name != RUN} for row in rows])
    shutil.rmtree(desk.runs[-1] / "digests")
    if is_edited:
        fix(path)
    settled(desk, desk.runs[-1].name)
    assert path.with_name("rows.csv.edited").exists() is is_edited
    assert [row["memo"] for row in rows_of(path)] == ["row 2", "row 3"]


def test_edited_records_are_kept_and_others_are_not(desk):
    lines = [
        '{"event": {"key": "buy", "value": 1.0,  "properties": {"memo": "row N", "q": [1, 2e3]}}, '
        '"user": {"userId": "uN"}}'.replace("N", str(n))
        for n in (1, 2, 3)
    ]
    desk.write("rows.jsonl", "\n".join(lines))
    with Server(
        lambda request, _: (
            Reset() if b"row 2" in request.body else Reply(400 if b"row 3" in request.body else 200)
        )
    ) as server:
        assert desk.type("send", "rows.jsonl", "--url", server.url, "--yes", "--json").code == 4
    path, run = desk.failed("rows.jsonl"), desk.runs[-1].name
    settled(desk, run)
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.jsonl"]
    assert [json.loads(line)["_replay"]["outcome"] for line in path.read_text().splitlines()] == [
        "exhausted",
        "rejected",
    ]


def test_an_edited_failed_file_is_what_a_resend_of_its_run_sends(desk):
    desk.numbered(3)
    with Server(refused("row 3")) as server:
        run = desk.send(server).json["run"]
    fix(desk.failed())
    with Server() as server:
        assert resend(desk, server, run).code == 0
    assert memos(server) == ["fixed 3"]


def test_the_file_itself_is_not_sent_with_its_old_values_either(desk):
    path = fix(one_ambiguous(desk))
    settled(desk, desk.runs[-1].name)
    with Server() as server:
        assert "rows.csv.edited" in usage_error(resend(desk, server, path))
        assert server.events == []


def test_an_edited_file_of_which_rows_were_left_out_still_has_to_be_sent(desk):
    path = fix(one_ambiguous(desk), "row ", "fixed ")
    run = desk.runs[-1].name
    settled(desk, run)
    aside = path.with_name("rows.csv.edited")
    with Server() as server:
        assert resend(desk, server, aside, "--only", "rejected,ambiguous", "--limit", "1").code == 0
        assert "rows.csv.edited" in usage_error(resend(desk, server, run))


@pytest.mark.parametrize("record", ["[[[", "x = 1\n"])
def test_a_folder_of_something_else_beside_the_runs_is_no_fault_of_theirs(desk, record):
    fix(one_ambiguous(desk))
    (desk.folder / "replay-runs" / "junk").mkdir()
    (desk.folder / "replay-runs" / "junk" / "run.toml").write_text(record)
    assert desk.type("settle", desk.runs[0].name, "--as", "undelivered").code == 3
