"""What need not be typed each time: from a variable or a replay.toml, but nothing that must be meant."""

import json

import pytest
from cli.desk import Server
from sink.origin import Reply

from replay.cli.config import FILE

NEVER = (
    "url",
    "api-key-file",
    "yes",
    "again",
    "same-target",
    "accept-ledger",
    "new-mapping",
    "on-ambiguous",
    "dry-run",
    "sandbox",
    "runs",
    "ledger",
    "limit",
    "sample-users",
    "log-file",
    "set",
)
MAY = (
    "columns",
    "concurrency",
    "delimiter",
    "encoding",
    "format",
    "map",
    "mask",
    "max-failures",
    "max-outage",
    "metrics-port",
    "order",
    "processes",
    "quotechar",
    "rate",
    "records",
    "retries",
    "rule",
    "timeout",
)


def send(desk, server, *arguments, source="rows.csv"):
    return desk.type("send", source, "--url", server.url, "--yes", *arguments)


def test_the_command_line_wins_over_a_variable_that_over_the_file_that_over_the_default(desk, monkeypatch):
    desk.numbered(3)
    desk.write(FILE, 'map = "map.toml"\nrate = "300/s"\nretries = 2\nconcurrency = 7\n')
    monkeypatch.setenv("REPLAY_CONCURRENCY", "8")
    monkeypatch.setenv("REPLAY_RETRIES", "3")
    with Server() as server:
        ended = send(desk, server, "--retries", "4")
    assert ended.code == 0, ended.err
    record = json.loads(desk.type("runs", "last", "--json").out)["record"]["settings"]
    told = record["retries"], record["concurrency"], record["rate"], record["timeout"]
    assert told == (4, 8, "300/s", 30.0)
    for words in (
        "map map.toml (replay.toml)",
        "rate 300/s (replay.toml)",
        "concurrency 8 (REPLAY_CONCURRENCY)",
    ):
        assert words in ended.err
    assert "retries" not in ended.err


def test_the_file_beside_the_data_is_the_one_and_what_it_names_lies_beside_it_too(desk):
    (desk.folder / "data").mkdir()
    desk.numbered(3, name="data/rows.csv")
    (desk.folder / "map.toml").rename(desk.folder / "data" / "map.toml")
    desk.write(FILE, 'map = "nowhere.toml"\n')
    desk.write(f"data/{FILE}", 'map = "map.toml"\n')
    for source in ("data/rows.csv", "data", "data/*.csv"):
        ended = desk.type("check", source)
        assert ended.code == 0, ended.err
        assert f"map data/map.toml (data/{FILE})" in ended.err
    assert desk.type("check", "data/rows.csv", "--json").err == ""


@pytest.mark.parametrize("name", NEVER)
def test_what_must_be_meant_is_taken_from_neither(desk, monkeypatch, name):
    desk.numbered(3)
    desk.write(FILE, f'{name} = "1"\n')
    with Server() as server:
        by_file = send(desk, server, "--map", "map.toml")
        (desk.folder / FILE).unlink()
        monkeypatch.setenv("REPLAY_" + name.upper().replace("-", "_"), "1")
        by_variable = send(desk, server, "--map", "map.toml")
    for ended in (by_file, by_variable):
        assert ended.code == 2
        assert f"--{name} comes from the command line alone" in ended.err
    assert (server.bodies, desk.runs) == ([], [])


def test_these_options_and_no_others_may_come_from_elsewhere(desk):
    desk.numbered(3)
    desk.write(FILE, "zzzzzzz = 1\n")
    assert desk.type("check", "rows.csv").err.rstrip().endswith(f"It may say {', '.join(MAY)}.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rates = 1", "replay.toml: rates: there is no such option. Did you mean rate?"),
        ('max_failures = "5%"', "Did you mean max-failures?"),
        ('rate = "fast"', "replay.toml: --rate fast: not a rate"),
        ("concurrency = true", "replay.toml: concurrency: write a text or a number"),
        ('concurrency = "many"', "replay.toml: concurrency: "),
        ("rate = ", "replay.toml cannot be read"),
        ("a" + ".a" * 100_000 + " = 1", "replay.toml cannot be read: line 1: more than 32 tables"),
        ("rate = 0x" + "f" * 5_000, "replay.toml cannot be read: line 1: a number or a name of more than"),
    ],
)
def test_a_slip_in_the_file_is_told_with_its_place(desk, text, words):
    desk.numbered(3)
    desk.write(FILE, text + "\n")
    ended = desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes")
    assert (ended.code, words in ended.err) == (2, True), ended.err
    assert desk.runs == []


def test_a_slip_in_a_variable_is_told_with_its_name(desk, monkeypatch):
    desk.numbered(3)
    monkeypatch.setenv("REPLAY_RATES", "1")
    assert "Did you mean REPLAY_RATE?" in desk.type("check", "rows.csv").err
    monkeypatch.delenv("REPLAY_RATES")
    monkeypatch.setenv("REPLAY_RATE", "fast")
    ended = desk.type("send", "rows.csv", "--map", "map.toml", "--sandbox", "--yes")
    assert "REPLAY_RATE: --rate fast: not a rate" in ended.err


def test_variables_that_are_not_ours_are_let_be(desk, monkeypatch):
    desk.numbered(3)
    monkeypatch.setenv("REPLAY_BUFFER_SIZE", "1")
    monkeypatch.setenv("REPLAY_URL", "")
    assert desk.type("check", "rows.csv", "--map", "map.toml").code == 0


def test_a_run_that_goes_on_and_one_that_resends_keep_their_own_mapping_and_settings(desk, monkeypatch):
    desk.numbered(3)
    with Server([Reply(400)]) as server:
        desk.send(server, "--retries", "1")
    monkeypatch.setenv("REPLAY_RATE", "7/s")
    monkeypatch.setenv("REPLAY_MAP", "nowhere.toml")
    desk.write(FILE, 'format = "tsv"\n')
    with Server() as server:
        resent = desk.type("resend", "last", "--url", server.url, "--yes")
        resumed = desk.type("resume", "last")
    assert (resent.code, resumed.code, len(server.bodies)) == (0, 0, 3)
    assert "rate 7/s (REPLAY_RATE)" in resent.err
    assert "nowhere" not in resent.err
    assert "tsv" not in resent.err


def test_a_preview_and_the_sandbox_speak_json_alone_where_asked(desk):
    desk.csv("buy,u1,12345678901234567890.5,m", "buy,u2,007,m")
    ended = desk.type("preview", "rows.csv", "--map", "map.toml", "--json", "-n", "1")
    assert json.loads(ended.out)["requests"][0]["user"] == {"userId": "u1"}
    assert '"value":12345678901234567890.5,' in ended.out
    curled = desk.type("preview", "rows.csv", "--map", "map.toml", "--json", "--curl").json
    assert [request.startswith("curl ") for request in curled["requests"]] == [True, True]
    with desk.spawn("sandbox", "--port", "0", "--json") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        process.terminate()
        out, err = process.communicate(timeout=300)
    assert json.loads("".join(lines))["url"].startswith("http://127.0.0.1:")
    assert (out, err) == ("", "")
