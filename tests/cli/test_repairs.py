"""Rows that could not be read are repaired in their file, and sent as the rows of their source."""

import base64
import json

import pytest
from cli.desk import HEADER, MAP, Server
from cli.test_ids import resent, usage_error
from cli.test_resend import memos, resend, table

ROWS = [
    "buy,u1,1,\uac00".encode(),
    b"buy,u2,2",
    b'buy,u3,3,"half',
    b"buy,u4,4,\xff\xfe",
    "buy,u5,none,\ub098".encode(),
]


def broken(desk, rows=ROWS, source="rows.csv", *arguments):
    """A run that delivered a row and could not read others; its file of unreadable rows."""
    desk.write("map.toml", MAP)
    desk.write(source, b"\n".join([HEADER.encode(), *rows, b""]))
    with Server() as server:
        assert desk.send(server, *arguments, source=source).code == 3
    return desk.runs[-1] / "unreadable.jsonl"


def repair(path, **texts):
    """Put another text into the lines of these rows: r2="…"."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if (text := texts.get(f"r{line['row']}")) is not None:
            line.pop("raw_base64", None)
            line["raw"] = text
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_repaired_rows_are_sent_as_rows_of_their_source_and_only_once(desk):
    path = broken(desk)
    first = desk.runs[-1].name
    repair(path, r2='buy,u2,2,"two, and more"', r3="buy,u3,3,three", r4="buy,u4,4,four")
    with Server() as server:
        ended = resend(desk, server, path)
        assert ended.code == 0, ended
        assert sorted(memos(server)) == ["four", "three", "two, and more"]
        again = resend(desk, server, path)
        assert (again.code, len(server.events)) == (0, 3)
    assert ended.rows["delivered"] == 3
    assert again.json["reasons"] == [
        {"outcome": "skipped", "status": None, "reason": "delivered-before", "rows": 3}
    ]
    assert desk.runs[0].name == first


def test_a_repaired_row_that_is_refused_fails_as_the_row_that_it_is(desk):
    path = broken(desk)
    repair(path, r2="buy,u2,none,two")
    ended, sent = resent(desk, path)
    assert (ended.code, sent) == (3, [])
    (row,) = table(desk.failed())[1:]
    assert (row[3], row[5]) == ("two", "2")
    assert row[4].endswith("-2")


def test_a_row_that_still_cannot_be_read_stays_invalid(desk):
    path = broken(desk)
    repair(path, r2="buy,u2,2,two", r3='buy,u3,3,"still half')
    ended, sent = resent(desk, path)
    assert (ended.code, sent) == (0, ["two"])
    assert "2 rows still cannot be read" in ended.err


def test_where_no_row_was_repaired_nothing_is_sent_and_the_file_is_named(desk):
    path = broken(desk)
    ended, sent = resent(desk, path)
    assert "none of its 3 rows can be read yet" in usage_error(ended)
    assert sent == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda line: line.update(raw="buy,u2,2,two\nbuy,u9,9,nine"), "line 1: holds 2 records"),
        (lambda line: line.update(row=1), "line 1: row 1 of rows.csv is not unreadable"),
        (lambda line: line.update(row=3), "is there twice, with different texts"),
        (lambda line: line.update(source="other.csv"), "line 1: has no source, row and raw of the run"),
        (lambda line: line.pop("raw"), "line 1: has no source, row and raw of the run"),
    ],
    ids=["two records", "a delivered row", "another row", "another source", "no text"],
)
def test_a_line_that_is_not_one_row_of_the_run_is_refused(desk, change, words):
    path = broken(desk)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines[0])
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ended, sent = resent(desk, path)
    assert words in usage_error(ended)
    assert sent == []


def test_a_row_that_was_cut_when_it_was_kept_is_refused_however_short_it_is_now(desk):
    path = broken(desk, [*ROWS, b"buy,u6,6," + b"x" * 70_000 + b",more"])
    repair(path, r2="buy,u2,2,two")
    ended, sent = resent(desk, path, "--dry-run")
    assert ended.rows["pending"] == 1
    repair(path, r6="buy,u6,6,short")
    ended, sent = resent(desk, path)
    assert "only its beginning was kept" in usage_error(ended)
    assert sent == []


def test_json_records_are_repaired_on_one_line_or_several(desk):
    good = '{"event": {"key": "buy", "properties": {"memo": "%s"}}, "user": {"userId": "u"}}'
    lines = [good % "one", good % "two" + "}", good % "three" + ",", good[:-9] % "four"]
    desk.write("rows.jsonl", "\n".join(lines))
    with Server() as server:
        ended = desk.type("send", "rows.jsonl", "--url", server.url, "--yes", "--json")
    assert (ended.code, ended.rows["invalid"]) == (3, 3)
    path = desk.runs[-1] / "unreadable.jsonl"
    repair(path, r2=good % "two", r3=(good % "three").replace(", ", ",\n "))
    with Server() as server:
        assert resend(desk, server, path).code == 0
    assert sorted(memos(server)) == ["three", "two"]
    repair(path, r4=good % "four" + "\n" + good % "five")
    assert "holds 2 records" in usage_error(resent(desk, path)[0])


def test_rows_of_another_encoding_delimiter_and_header_are_read_as_their_source(desk):
    desk.write("map.toml", MAP)
    text = "\n".join(["buy;u1;1;\uac00", "buy;u2;2;\ub098;more", ""])
    desk.write("rows.txt", text.encode("cp949"))
    options = ("--encoding", "cp949", "--delimiter", ";", "--columns", HEADER)
    with Server() as server:
        assert desk.send(server, *options, source="rows.txt").code == 3
    path = desk.runs[-1] / "unreadable.jsonl"
    line = json.loads(path.read_text())
    line.pop("raw")
    line["raw_base64"] = base64.b64encode("buy;u2;2;\ub098".encode("cp949")).decode()
    path.write_text(json.dumps(line))
    (desk.folder / "rows.txt").unlink()
    ended, sent = resent(desk, path)
    assert (ended.code, sent) == (0, ["\ub098"])


def test_the_next_steps_count_what_each_command_takes(desk):
    path = broken(desk)
    out = desk.type("resume", "last").out
    assert "1 failed rows" in out
    assert f"replay resend {desk.runs[-1].name}" in out
    assert "3 unreadable rows" in out
    assert "unreadable.jsonl" in out
    assert path.exists()
    page = (desk.runs[-1] / "report.html").read_text()
    assert "1 failed row " in page
    assert "3 unreadable rows" in page


def test_a_run_of_which_only_unreadable_rows_are_left_names_their_command(desk):
    path = broken(desk, ROWS[:2])
    assert "unreadable.jsonl" in usage_error(resent(desk)[0])
    assert path.exists()


@pytest.mark.parametrize("is_edited", [True, False])
def test_settling_keeps_a_repaired_file(desk, is_edited):
    path = broken(desk)
    if is_edited:
        repair(path, r2="buy,u2,2,two")
    text = path.read_bytes()
    run = desk.runs[-1]
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"state": "running"}))
    ended, _ = resent(desk, path)  # the run looks killed: its files are written again
    aside = path.with_name("unreadable.jsonl.edited")
    assert aside.exists() is is_edited
    if is_edited:
        assert aside.read_bytes() == text
        ended, sent = resent(desk, aside)
        assert (ended.code, sent) == (0, ["two"])
