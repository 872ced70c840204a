"""`check`, `preview`, `rules` and `runs`: what is printed is what was promised."""

import csv
import json
import shutil
import subprocess
import tomllib

import pytest
from cli.desk import KEY, Server
from sink.origin import Reply

ROWS = ("buy,u1,1,fine", "buy,u2,none,bad", "Bad key!,u1,2,warned", "short", ",u3,4,no key", "buy,u1,,fine")


def test_check_prints_one_object_with_every_count_and_an_example_of_each_rule(desk):
    desk.csv(*ROWS)
    ended = desk.type("check", "rows.csv", "--map", "map.toml", "--json")
    document = ended.json
    assert ended.code == 3
    assert list(document)[:5] == ["rows", "problems", "event_keys", "users", "columns"]
    assert document["rows"] == {"read": 6, "valid": 3, "invalid": 3, "warned": 1}
    assert document["event_keys"] == {"buy": 2, "Bad key!": 1}
    assert (document["users"], document["columns"]) == (1, ["event", "user", "amount", "memo"])
    by_rule = {problem["rule"]: problem for problem in document["problems"]}
    assert {rule: (p["severity"], p["rows"]) for rule, p in by_rule.items()} == {
        "cast-failed": ("error", 1),
        "row-fields": ("error", 1),
        "event-key-missing": ("error", 1),
        "event-key-charset": ("warning", 1),
    }
    (example,) = by_rule["cast-failed"]["examples"]
    assert {name: example[name] for name in ("source", "row", "line", "field", "value")} == {
        "source": "rows.csv",
        "row": 2,
        "line": 3,
        "field": "event.value",
        "value": "none",
    }


def test_check_is_content_with_rows_that_only_warn(desk):
    desk.csv("Bad key!,u1,2,warned")
    assert desk.type("check", "rows.csv", "--map", "map.toml").code == 0
    assert desk.type("check", "rows.csv", "--map", "map.toml", "--rule", "event-key-charset=error").code == 3


def test_problems_writes_every_problem_of_every_row_in_order(desk):
    desk.csv(*ROWS * 30)
    ended = desk.type("check", "rows.csv", "--map", "map.toml", "--problems", "problems.csv")
    assert ended.code == 3
    with (desk.folder / "problems.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *problems = csv.reader(file, strict=True)
    assert header == ["source", "row", "line", "rule", "severity", "field", "value", "message"]
    assert len(problems) == 30 * 4
    assert [int(problem[1]) for problem in problems] == sorted(int(problem[1]) for problem in problems)
    assert problems[0][:7] == ["rows.csv", "2", "3", "cast-failed", "error", "event.value", "none"]
    assert all(problem[7] for problem in problems)


def test_problems_overwrites_only_by_force(desk):
    desk.csv(*ROWS)
    precious = desk.write("problems.csv", "precious")
    arguments = ("check", "rows.csv", "--map", "map.toml", "--problems", "problems.csv")
    assert desk.type(*arguments).code == 2
    assert precious.read_text() == "precious"
    assert desk.type(*arguments, "--force").code == 3
    assert precious.read_text("utf-8-sig").startswith("source,row")


def test_a_problem_keeps_its_cells_whatever_stands_in_the_value(desk):
    desk.csv('buy,u1,"a\rb\n""c"",d",m')
    desk.type("check", "rows.csv", "--map", "map.toml", "--problems", "problems.csv")
    with (desk.folder / "problems.csv").open(encoding="utf-8-sig", newline="") as file:
        _, problem = csv.reader(file, strict=True)
    assert problem[6] == 'a\rb\n"c",d'


def test_preview_shows_as_many_requests_as_asked_and_counts_those_passed_over(desk):
    desk.csv("buy,u1,none,bad", "buy,u2,2,m", "short", "buy,u3,3,m", "buy,u4,none,m", "buy,u5,5,m")
    ended = desk.type("preview", "rows.csv", "--map", "map.toml", "-n", "2")
    assert ended.code == 0
    assert [json.loads(line)["user"]["userId"] for line in ended.out.splitlines()] == ["u2", "u3"]
    assert ended.err.startswith("2 ")


def test_what_preview_shows_is_what_send_sends(desk):
    desk.csv(*(f"buy,u{n},{n},가을 '{n}'" for n in range(5)))
    shown = desk.type("preview", "rows.csv", "--map", "map.toml", "-n", "9").out
    with Server() as server:
        desk.send(server)
    assert sorted(shown.encode().splitlines()) == sorted(server.bodies)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on this machine")
def test_a_curl_command_pasted_into_a_shell_sends_the_same_bytes(desk):
    desk.csv('buy,u1,0.1,"it\'s ""가을"" $HOME `id` \\ ! %s"', "@buy,u2,2,m")
    with Server() as server:
        ended = desk.type("preview", "rows.csv", "--map", "map.toml", "--curl", "--url", server.url)
        assert KEY not in ended.out
        subprocess.run(["sh", "-e"], input=ended.out, text=True, check=True, capture_output=True)
        by_curl = list(server.origin.requests)
        desk.send(server, "--concurrency", "1")  # else either of two users may be first
        by_us = server.origin.requests[2:]
    assert [request.body for request in by_curl] == [request.body for request in by_us]
    assert {request.headers["x-hackle-api-key"] for request in by_curl} == {KEY}
    assert {request.headers["content-type"] for request in by_curl} == {"application/json"}


def test_rules_are_printed_with_where_they_come_from(desk):
    rules = desk.type("rules", "--json").json["rules"]
    ids = {rule["id"] for rule in rules}
    assert {"row-unreadable", "row-fields", "cast-failed", "user-missing", "event-key-charset"} <= ids
    assert all(
        rule["limit"] and rule["origin"] and rule["severity"] in ("error", "warning", "off") for rule in rules
    )


def test_runs_lists_the_runs_in_the_order_they_began(desk):
    assert desk.type("runs", "--json").json == {"runs": []}
    desk.numbered(3)
    with Server() as server:
        ids = [desk.send(server, "--again").json["run"] for _ in range(3)]
    listed = desk.type("runs", "--json").json["runs"]
    assert [summary["run"] for summary in listed] == ids
    assert [summary["rows"]["delivered"] for summary in listed] == [3, 3, 3]
    text = desk.type("runs").out
    assert all(run in text for run in ids)


def test_a_run_is_told_in_full_with_its_record(desk):
    desk.csv(*ROWS)
    with Server() as server:
        desk.send(server, "--limit", "2", "--retries", "1", "--rule", "event-key-charset=off")
    document = desk.type("runs", "last", "--json").json
    record = document.pop("record")
    assert document == desk.summary
    assert record == tomllib.loads((desk.runs[-1] / "run.toml").read_text())
    assert record["url"] == server.url
    (source,) = record["sources"]
    assert (source["name"], source["format"], source["rows"]) == ("rows.csv", "csv", 6)
    assert len(source["digest"]) == 32
    assert source["length"] == (desk.folder / "rows.csv").stat().st_size
    assert record["mapping"] == tomllib.loads((desk.folder / "map.toml").read_text())
    assert record["rules"] == {"event-key-charset": "off"}
    assert record["settings"] == {
        "rate": "none",
        "concurrency": 32,
        "timeout": 30.0,
        "retries": 1,
        "order": "user",
        "on_ambiguous": "hold",
        "max_failures": "none",
        "max_outage": 600.0,
        "processes": 1,
        "limit": 2,
    }
    assert document["run"] in desk.type("runs", "last").out


def test_a_run_that_does_not_exist_is_told(desk):
    ended = desk.type("runs", "20200101-000000-0000", "--json")
    assert (ended.code, ended.json["error"]["kind"]) == (2, "usage")


def test_quiet_says_nothing(desk):
    desk.numbered(2)
    with Server() as server:
        common = ("--map", "map.toml", "--url", server.url, "--yes", "--quiet")
        ended = desk.type("send", "rows.csv", *common)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_it_works_from_any_working_folder(desk, monkeypatch):
    desk.numbered(2)
    below = desk.folder / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    with Server([Reply(400)]) as server:
        ended = desk.type(
            *(
                "send",
                "../rows.csv",
                "--map",
                "../map.toml",
                "--url",
                server.url,
                "--runs",
                "../runs",
                "--yes",
                "--json",
            )
        )
    (failed,) = ended.json["files"]["failed"]
    assert (below / failed).is_file()


def test_problems_open_as_text_in_a_spreadsheet_and_are_for_their_owner_alone(desk):
    desk.csv("buy,u1,=1+1,m")
    old = desk.write("problems.csv", "old")
    old.chmod(0o644)
    assert desk.type("check", "rows.csv", "--map", "map.toml", "--problems", old, "--force").code == 3
    content = old.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfsource,row,")
    assert b",'=1+1," in content
    assert old.stat().st_mode & 0o777 == 0o600


def test_a_drafted_mapping_is_for_its_owner_alone(desk):
    desk.csv("buy,u1,1,m")
    assert desk.type("map", "rows.csv", "-o", "draft.toml").code == 0
    assert (desk.folder / "draft.toml").stat().st_mode & 0o777 == 0o600
