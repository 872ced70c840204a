"""What a user may do wrong, and is told in words; and what is asked before anything leaves."""

import os
import resource
import stat

import pytest
from cli.desk import HEADER, Server, without_override


def refused(ended, code, *words):
    """It ended with this code, in words, without a traceback, and one JSON object if it was asked for."""
    said = ended.out + ended.err
    assert ended.code == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said
    if ended.out:
        assert set(ended.json) == {"error"}
        assert set(ended.json["error"]) == {"kind", "message"}
    return True


CHECK = ("check", "--map", "map.toml", "--json")
WRONG = {
    "a missing file, with what is near": (["rowz.csv"], 2, ["rowz.csv", "rows.csv"]),
    "a folder without data": (["empty"], 2, ["empty", "no data file"]),
    "a glob that matches nothing": (["*.jsonl"], 2, ["*.jsonl"]),
    "an empty file": (["nothing.csv"], 1, ["nothing.csv", "header"]),
    "a wrong encoding": (["korean.csv"], 1, ["--encoding cp949"]),
    "a binary file": (["binary.csv"], 1, ["binary.csv"]),
    "broken TOML": (["rows.csv", "--map", "broken.toml"], 2, ["broken.toml", "line"]),
    "a mapping that is a folder": (["rows.csv", "--map", "empty"], 2, ["empty"]),
    "a mapping that is missing": (["rows.csv", "--map", "no.toml"], 2, ["no.toml"]),
    "a mapping of a column that is missing": (["rows.csv", "--set", "user.deviceId=devise"], 2, ["devise"]),
    "a target that the API has not": (["rows.csv", "--set", "event.kee=event"], 2, ["kee"]),
    "an option that does not exist": (["rows.csv", "--frobnicate"], 2, ["--frobnicate"]),
    "a format that does not exist": (["rows.csv", "--format", "xls"], 2, ["xls"]),
    "an encoding that does not exist": (["rows.csv", "--encoding", "utf-99"], 2, ["utf-99"]),
    "a delimiter of two characters": (["rows.csv", "--delimiter", "ab"], 2, ["--delimiter"]),
    "a rule that does not exist": (["rows.csv", "--rule", "event-kee=off"], 2, ["event-kee"]),
    "a severity that does not exist": (["rows.csv", "--rule", "event-key-charset=loud"], 2, ["loud"]),
    "no source at all": ([], 2, ["SOURCE"]),
    "a problems file in no folder": (["rows.csv", "--problems", "no/where.csv"], 1, ["no/where.csv"]),
    "a problems file that is a folder": (["rows.csv", "--problems", "empty", "--force"], 1, ["empty"]),
    "a problems file that is there": (["rows.csv", "--problems", "korean.csv"], 2, ["--force"]),
    "a problems file that is a source": (
        ["rows.csv", "--problems", "./rows.csv", "--force"],
        2,
        ["rows.csv"],
    ),
    "standard input without a format": (["-"], 2, ["--format"]),
    "a name too long for any file": (["x" * 5000], 2, ["xxx"]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_in_words(desk, mistake):
    arguments, code, words = WRONG[mistake]
    rows = desk.numbered(3)
    (desk.folder / "empty").mkdir()
    desk.write("nothing.csv", b"")
    desk.write("korean.csv", f"{HEADER}\n구매,u,1,가을\n".encode("cp949"))
    desk.write("binary.csv", bytes(range(256)) * 40)
    desk.write("broken.toml", "[event\nkey = 1")
    before = rows.read_bytes()
    assert refused(desk.type(*CHECK, *arguments), code, *words)
    assert refused(desk.type(*[a for a in (*CHECK, *arguments) if a != "--json"]), code)
    assert rows.read_bytes() == before


SEND = {
    "--rate": "fast",
    "--concurrency": "0",
    "--timeout": "-1",
    "--retries": "-1",
    "--limit": "0",
    "--max-failures": "some",
    "--order": "random",
    "--on-ambiguous": "maybe",
    "--url": "http://example.org/v1/track",
    "--api-key-file": "no-such-file",
}


@pytest.mark.parametrize(("option", "value"), SEND.items())
def test_a_bad_value_of_an_option_is_told_with_its_name_and_nothing_is_left_behind(desk, option, value):
    desk.numbered(1)
    ended = desk.type("send", "rows.csv", "--map", "map.toml", "--yes", "--json", option, value)
    assert refused(ended, 2, option)
    assert ended.json["error"]["kind"] == "usage"
    assert not desk.runs


def test_without_arguments_the_help_is_shown(desk):
    ended = desk.type()
    assert ended.code == 2
    assert "Usage" in ended.out + ended.err
    assert "Error" not in ended.out + ended.err


def test_a_command_that_does_not_exist_is_told(desk):
    assert refused(desk.type("frobnicate", "--json"), 2, "frobnicate")


def test_a_table_of_a_header_alone_has_no_rows_and_that_is_fine(desk):
    desk.csv()
    assert desk.type("check", "rows.csv", "--map", "map.toml", "--json").rows["read"] == 0
    with Server() as server:
        ended = desk.send(server)
    assert (ended.code, ended.rows["read"], server.bodies) == (0, 0, [])


@pytest.mark.parametrize("what", ["source", "folder", "runs", "map", "key", "problems"])
def test_a_missing_permission_is_told_in_words(desk, what):
    desk.numbered(1)
    closed = desk.folder / "closed"
    closed.mkdir()
    for name in ("rows.csv", "map.toml"):
        (closed / name).write_bytes((desk.folder / name).read_bytes())
    secret = desk.write("secret.csv", (desk.folder / "rows.csv").read_bytes())
    secret.chmod(0)
    closed.chmod(0)
    arguments = {
        "source": ["check", "secret.csv"],
        "folder": ["check", "closed"],
        "runs": ["send", "rows.csv", "--sandbox", "--yes", "--runs", "closed/runs"],
        "map": ["check", "rows.csv", "--map", "closed/map.toml"],
        "key": ["send", "rows.csv", "--yes", "--api-key-file", "secret.csv"],
        "problems": ["check", "rows.csv", "--problems", "closed/problems.csv"],
    }[what]
    extra = [] if "--map" in arguments else ["--map", "map.toml"]
    ended = desk.alone(*arguments, *extra, "--json", preexec_fn=without_override)
    closed.chmod(0o700)
    assert refused(ended, 2 if what in ("map", "key") else 1, "readable" if what == "key" else "ermission")


@pytest.mark.parametrize(
    "arguments",
    [
        ["runs"],
        ["runs", "last"],
        ["resend", "last", "--yes", "--sandbox"],
        ["resend", "closed/x", "--yes", "--sandbox"],
    ],
)
def test_a_runs_folder_that_may_not_be_read_is_told_in_words(desk, arguments):
    closed = desk.folder / "closed"
    closed.mkdir(mode=0)
    ended = desk.alone(*arguments, "--runs", "closed", "--json", preexec_fn=without_override)
    closed.chmod(0o700)
    assert refused(ended, ended.code, "closed")
    assert ended.code in (1, 2)


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))


def test_a_full_disk_stops_the_run_in_words_with_what_is_known_written_down(desk):
    desk.csv(*(f"buy,user{n},none,{'x' * 500}" for n in range(400)), *(f"buy,u{n},1,m" for n in range(50)))
    with Server() as server:
        ended = desk.alone(
            *("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--json"),
            preexec_fn=limited,
        )
    assert ended.code == 1, ended
    assert "Traceback" not in ended.err
    summary = ended.json
    assert (summary["state"], summary["stopped_by"]) == ("stopped", "storage")
    assert "room" in ended.err


def test_without_a_terminal_nothing_is_sent_before_yes_is_said(desk):
    desk.numbered(2)
    with Server() as server:
        ended = desk.alone("send", "rows.csv", "--map", "map.toml", "--url", server.url, "--json")
        assert refused(ended, 2, "--yes")
        assert not server.origin.requests
    assert not desk.runs


def test_without_a_terminal_nothing_is_sent_again_before_yes_is_said(desk):
    desk.csv("buy,u1,none,m")
    with Server() as server:
        assert desk.send(server).code == 3
        assert refused(desk.alone("resend", "last", "--json"), 2, "--yes")
        assert not server.origin.requests
    assert len(desk.runs) == 1


def test_a_dry_run_needs_no_key_and_no_yes_and_writes_nothing(desk, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY")
    desk.csv("buy,u1,1,m", "buy,u2,none,m", "short")
    ended = desk.alone("send", "rows.csv", "--map", "map.toml", "--dry-run", "--json")
    assert (ended.code, ended.json["state"], ended.json["run"]) == (3, "dry-run", None)
    assert ended.rows == {
        "read": 3,
        "delivered": 0,
        "rejected": 0,
        "exhausted": 0,
        "ambiguous": 0,
        "invalid": 2,
        "skipped": 0,
        "pending": 1,
    }
    assert ended.json["files"] == {"folder": None, "failed": [], "unreadable": None, "report": None}
    assert {path.name for path in desk.folder.iterdir()} == {"rows.csv", "map.toml"}


def test_a_sandbox_run_needs_no_key_and_delivers_everything(desk, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY")
    desk.numbered(5)
    ended = desk.alone("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes", "--json")
    assert (ended.code, ended.rows["delivered"]) == (0, 5)


def test_without_a_key_and_without_a_terminal_it_says_how_to_give_one(desk, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY")
    desk.numbered(1)
    ended = desk.alone("send", "rows.csv", "--map", "map.toml", "--yes", "--json")
    assert refused(ended, 2, "HACKLE_API_KEY", "--api-key-file")


@pytest.mark.parametrize("key", ["", "  ", "two words", "한글", "line\nbreak"])
def test_a_key_that_can_be_none_is_refused_before_anything_is_sent(desk, monkeypatch, key):
    monkeypatch.setenv("HACKLE_API_KEY", key)
    desk.numbered(1)
    with Server() as server:
        assert refused(desk.send(server), 2, "key")
        assert not server.origin.requests


def test_a_key_file_is_read_if_it_is_its_owners_alone(desk, monkeypatch):
    monkeypatch.delenv("HACKLE_API_KEY")
    desk.numbered(1)
    file = desk.write("key", "from-a-file\n")
    with Server() as server:
        for mode in (0o644, 0o640, 0o604):
            file.chmod(mode)
            assert refused(desk.send(server, "--api-key-file", "key"), 2, "chmod 600")
        file.chmod(0o600)
        assert desk.send(server, "--api-key-file", "key").code == 0
    assert [request.headers["x-hackle-api-key"] for request in server.origin.requests] == ["from-a-file"]


def test_the_runs_folder_is_for_its_owner_alone_and_out_of_git(desk):
    desk.csv("buy,u1,none,m", "short")
    with Server() as server:
        desk.send(server)
    folder = desk.folder / "replay-runs"
    assert (folder / ".gitignore").read_text() == "*\n"
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_file_name_that_is_no_text_is_refused_in_words(desk):
    name = os.fsdecode(b"rows\xff.csv")
    (desk.folder / name).write_bytes(desk.numbered(1).read_bytes())
    ended = desk.alone("send", name, "--map", "map.toml", "--sandbox", "--yes", "--json")
    assert refused(ended, 2, "Rename")
