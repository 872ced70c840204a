"""`check --report FILE.html`: what was found, and what the columns look like, for people."""

import html
import json
import re

import pytest
from cli.desk import HEADER


def text_of(path):
    page = re.sub(r"<style>.*?</style>|<[^>]*>", " ", path.read_text("utf-8"), flags=re.S)
    return html.unescape(re.sub(r" ([,:])", r"\1", re.sub(r"\s+", " ", page)))


def checked(desk, *arguments):
    ended = desk.type("check", "rows.csv", "--map", "map.toml", "--report", "check.html", *arguments)
    return ended, text_of(desk.folder / "check.html")


def test_each_rule_is_there_with_its_count_its_examples_and_what_to_do(desk):
    desk.csv("buy,u1,1,fine", "buy,u2,none,bad", "Bad key!,u1,2,warned", "short", ",u3,4,no key")
    ended, text = checked(desk)
    assert ended.code == 3
    assert "Report: check.html" in ended.out
    assert "2 of 5 rows can be sent; 3 cannot." in text
    for words in (
        "1 error cast-failed",
        "row 2 of rows.csv, line 3 event.value none",
        "column 'amount' does not read as number",
        "1 error row-fields",
        "as it stands short",
        "1 warning event-key-charset",
        "What to do: rename the event.",
        "Bad key! 1",
        "1 among the rows that can be sent",
    ):
        assert words in text, words


def test_each_column_is_profiled(desk):
    desk.csv(*(f"buy,u{n % 3},{n},{'x' * n if n % 2 else ''}" for n in range(1, 11)), "buy,u1,1.5,2025-01-01")
    _, text = checked(desk)
    assert "event text 100 % 1 3: buy 3: buy buy" in text
    assert "user text 100 % 3 2: u1 2: u1 u1, u2, u0" in text
    assert "amount number 100 % 11 1: 1 3: 1.5 1, 2, 3" in text
    assert "memo text; 1 other: time 54.5 % 6 1: x 10: 2025-01-01" in text


def test_the_time_range_is_that_of_the_mapped_time(desk):
    desk.write(
        "rows.csv", f"{HEADER},at\nbuy,u1,1,m,2025-03-01T00:00:00Z\nbuy,u2,1,m,2025-02-01T09:00:00+09:00\n"
    )
    desk.write("map.toml", '[event]\nkey="event"\n[user]\nuserId="user"\n[time]\ncolumn="at"\n')
    _, text = checked(desk)
    assert "2025-02-01 00:00:00 UTC to 2025-03-01 00:00:00 UTC" in text


def test_members_of_records_are_profiled_by_their_paths(desk):
    records = [
        {"event": {"key": "buy", "value": n, "properties": {"big": n % 2 == 0}}, "user": {"userId": f"u{n}"}}
        for n in range(4)
    ]
    desk.write("rows.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert desk.type("check", "rows.jsonl", "--report", "check.html").code == 0
    text = text_of(desk.folder / "check.html")
    assert "event.value whole number 100 % 4 1: 0" in text
    assert "event.properties.big boolean 100 % 2 4: true 5: false" in text


def test_more_distinct_values_than_are_counted_exactly_are_marked_as_an_estimate(desk):
    desk.numbered(15_000)
    _, text = checked(desk)
    assert re.search(r"user text 100 % about 1[45],[0-9]{3} ", text)


def test_rows_that_the_mapping_leaves_out_are_counted_as_such(desk):
    desk.csv(*(f"buy,u{n},{n},{'in' if n % 3 else 'out'}" for n in range(9)))
    (desk.folder / "map.toml").write_text((desk.folder / "map.toml").read_text() + '[where]\nmemo = "in"\n')
    _, text = checked(desk)
    assert "All 6 rows can be sent; 3 more are left out" in text
    assert "[where] 3 33.3 %" in text


def test_a_file_of_the_users_is_overwritten_only_by_force(desk):
    desk.numbered(2)
    precious = desk.write("check.html", "precious")
    arguments = ("check", "rows.csv", "--map", "map.toml", "--report")
    ended = desk.type(*arguments, "check.html")
    assert (ended.code, precious.read_text()) == (2, "precious")
    assert "--force" in ended.err
    assert desk.type(*arguments, "rows.csv", "--force").code == 2
    assert desk.type(*arguments, "nowhere/check.html").code == 1
    assert desk.type(*arguments, "check.html", "--force").code == 0
    assert "All 2 rows can be sent." in text_of(precious)


def test_a_check_that_fails_leaves_no_report(desk):
    desk.numbered(2)
    assert desk.type("check", "rows.csv", "--set", "event.key=nope", "--report", "check.html").code == 2
    assert not (desk.folder / "check.html").exists()


@pytest.mark.parametrize("header", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>"])
def test_headers_and_values_are_text(desk, header):
    desk.write("rows.csv", f"event,user,{header}\nbuy,u1,{header}\n")
    desk.write("map.toml", '[event]\nkey="event"\n[user]\nuserId="user"\n')
    desk.type("check", "rows.csv", "--map", "map.toml", "--report", "check.html")
    page = (desk.folder / "check.html").read_text()
    assert header not in page
    assert "alert(1)" in page
