"""Rows that `[where]` leaves out are skipped in every command, and `[source]` says what the flags say."""

import json

import pytest
from cli.desk import HEADER, MAP, Server, reply

ONLY = '[where]\nevent = "buy"\n' + MAP
ROWS = ("buy,u1,1,a", "view,u2,2,b", "buy,u3,3,c", "view,u4,none,d", "short", "buy,u5,5,e")
SKIPPED = {"outcome": "skipped", "status": None, "reason": "where", "rows": 2}


@pytest.fixture
def rows(desk):
    path = desk.csv(*ROWS)
    desk.write("map.toml", ONLY)
    return path


def memos(server):
    return sorted(event["event"]["properties"]["memo"] for event in server.events)


def test_check_judges_only_the_rows_that_are_taken_and_tells_the_others(desk, rows):
    ended = desk.type("check", rows, "--map", "map.toml", "--json")
    assert (ended.code, ended.rows) == (3, {"read": 6, "valid": 3, "invalid": 1, "warned": 0})
    assert [problem["rule"] for problem in ended.json["problems"]] == ["row-fields"]
    assert ended.json["reasons"] == [SKIPPED]
    assert (ended.json["users"], ended.json["event_keys"]) == (3, {"buy": 3})
    assert "2 are left out by [where]" in desk.type("check", rows, "--map", "map.toml").out


def test_preview_shows_only_rows_that_are_taken(desk, rows):
    ended = desk.type("preview", rows, "--map", "map.toml", "-n", "2")
    assert [json.loads(line)["user"]["userId"] for line in ended.out.splitlines()] == ["u1", "u3"]
    assert "invalid" not in ended.err


def test_a_run_counts_them_as_skipped_and_the_outcomes_add_up(desk, rows):
    with Server() as server:
        dry = desk.send(server, "--dry-run")
        ended = desk.send(server)
        again = desk.send(server)
    assert memos(server) == ["a", "c", "e"]
    assert ended.rows == {**dry.rows, "delivered": 3, "pending": 0}
    assert (ended.rows["read"], ended.rows["skipped"], ended.rows["invalid"]) == (6, 2, 1)
    assert SKIPPED in ended.json["reasons"]
    assert SKIPPED in dry.json["reasons"]
    assert (again.rows["delivered"], again.rows["skipped"]) == (0, 5)


@pytest.mark.parametrize("limit", ["1", "2", "3", "9"])
def test_with_a_limit_the_outcomes_add_up_too_and_sending_again_goes_on(desk, limit):
    desk.csv(*(f"{'buy' if n % 3 else 'view'},u{n},{n},m{n}" for n in range(1, 9)))
    desk.write("map.toml", ONLY)
    with Server() as server:
        first = desk.send(server, "--limit", limit)
        desk.send(server)
    for rows in (first.rows, desk.summary["rows"]):
        assert rows["read"] == 8 == sum(count for name, count in rows.items() if name != "read")
        assert rows["pending"] == 0
    assert len(memos(server)) == 6


def test_resume_skips_the_same_rows(desk, rows):
    broken = {"a"}
    with Server(reply(lambda body: 400 if body["event"]["properties"]["memo"] in broken else 200)) as server:
        stopped = desk.send(server, "--max-failures", "0", "--concurrency", "1")
        broken.clear()
        resumed = desk.type("resume", "last", "--json")
    assert (stopped.json["stopped_by"], stopped.rows["pending"] > 0) == ("max-failures", True)
    assert memos(server) == ["c", "e"]
    assert resumed.rows == {
        "read": 6, "delivered": 2, "rejected": 1, "exhausted": 0, "ambiguous": 0, "invalid": 1, "skipped": 2,
        "pending": 0,
    }  # fmt: skip
    assert SKIPPED in resumed.json["reasons"]


def test_failed_rows_are_sent_again_by_the_mapping_of_the_run(desk, rows):
    with Server(reply(lambda body: 400 if body["event"]["properties"]["memo"] == "c" else 200)) as server:
        desk.send(server)
        failed = desk.failed()
        failed.write_text(failed.read_text("utf-8").replace("buy,u3", "view,u3"), "utf-8")
        edited = desk.type("resend", "last", "--url", server.url, "--yes", "--json")
    assert edited.rows["skipped"] == 1
    assert edited.json["reasons"][0]["reason"] == "where"


def test_source_says_how_files_are_read_and_the_flags_win(desk):
    text = f"{HEADER.replace(',', ';')}\nbuy;u1;1;가나다\n"
    desk.write("rows.csv", text.encode("cp949"))
    desk.write("map.toml", '[source]\nencoding = "cp949"\ndelimiter = ";"\n' + MAP)
    assert desk.type("check", "rows.csv", "--map", "map.toml").code == 0
    wrong = desk.type("check", "rows.csv", "--map", "map.toml", "--delimiter", ",")
    assert (wrong.code, "no column 'event'" in wrong.err) == (2, True)
    with Server() as server:
        desk.send(server)
    assert memos(server) == ["가나다"]


def test_failed_rows_of_a_source_that_was_read_in_its_own_way_are_read_as_they_were_written(desk):
    desk.write("rows.csv", f"{HEADER.replace(',', ';')}\nbuy;u1;1;가\n".encode("cp949"))
    desk.write("map.toml", '[source]\nencoding = "cp949"\n' + MAP)
    with Server(reply(lambda _: 400)) as server:
        desk.send(server)
    with Server() as other:
        ended = desk.type("resend", desk.failed(), "--url", other.url, "--yes", "--json")
    assert ended.rows["delivered"] == 1
    assert memos(other) == ["가"]


def test_a_format_in_the_mapping_is_enough_for_standard_input(desk):
    desk.csv("buy,u1,1,a")
    desk.write("map.toml", '[source]\nformat = "csv"\n' + MAP)
    with (desk.folder / "rows.csv").open("rb") as stdin:
        ended = desk.alone("check", "-", "--map", "map.toml", "--json", stdin=stdin)
    assert ended.rows["valid"] == 1


def test_an_unknown_name_under_source_is_refused_with_near_matches(desk, rows):
    desk.write("map.toml", '[source]\nencodng = "cp949"\n' + MAP)
    ended = desk.type("check", rows, "--map", "map.toml")
    assert (ended.code, "did you mean 'encoding'" in ended.err) == (2, True)
