"""A failed row is known by its id: a file whose ids were lost is refused, and nothing is sent twice."""

import csv
import io
import json

import pytest
from cli.desk import Server
from cli.test_resend import memos, refused, resend, table
from sink.origin import Reply, Reset

ID, ROW, RUN = "_replay_id", "_replay_row", "_replay_run"


def rejected(desk, *rows, count=9):
    """A run of numbered rows of which some are rejected; its failed file."""
    desk.numbered(count)
    with Server(refused(*(f"row {row}" for row in rows))) as server:
        assert desk.send(server).code == 3
    return desk.failed()


def one_ambiguous(desk):
    """A run that delivered row 1, left row 2 ambiguous and had row 3 rejected."""
    desk.numbered(3)
    with Server(
        lambda request, _: (
            Reset() if b"row 2" in request.body else Reply(400 if b"row 3" in request.body else 200)
        )
    ) as server:
        assert desk.send(server).code == 4
    return desk.failed()


def edited(path, change):
    """Change the rows of a failed file, each a dict; `change` returns the new list."""
    header, *rows = table(path)
    changed = change([dict(zip(header, row, strict=True)) for row in rows])
    columns = list(changed[0])
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([columns, *([*row.values()] for row in changed)])
    path.write_text(text.getvalue())
    return path


def set_all(**cells):
    return lambda rows: [row | cells for row in rows]


def change_ids(change):
    return lambda rows: [row | {ID: change(row[ID])} for row in rows]


def resent(desk, what="last", *arguments):
    """How a resend ended, and the memos that arrived."""
    with Server() as server:
        return resend(desk, server, what, *arguments), sorted(memos(server))


def usage_error(ended):
    assert ended.code == 2, ended
    assert ended.json["error"]["kind"] == "usage"
    return ended.json["error"]["message"]


@pytest.mark.parametrize(
    "change",
    [str.upper, lambda text: f" {text}\t", lambda text: f'="{text}"', lambda text: f"'{text.title()}\u00a0"],
    ids=["capitals", "blanks", "formula", "apostrophe"],
)
def test_the_case_of_an_id_and_what_a_spreadsheet_puts_around_it_are_forgiven(desk, change):
    path = one_ambiguous(desk)
    edited(path, change_ids(change))
    ended, sent = resent(desk, path)
    assert (ended.code, sent) == (0, ["row 3"])
    with Server() as server:
        ended = resend(desk, server, path, "--again")  # another server is another target
        assert (ended.code, memos(server)) == (0, ["row 3"])
        ended = resend(desk, server, path)
    assert (ended.code, server.events[1:]) == (0, [])
    assert ended.rows["skipped"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_ids(lambda _: ""), "line 2: has no _replay_id"),
        (change_ids(lambda _: "  "), "line 3: has no _replay_id"),
        (change_ids(lambda text: text[:-1]), "line 2: _replay_id is"),
        (change_ids(lambda text: text[1:]), "line 2: the ledger knows no failed row"),
        (change_ids(lambda text: text[:8]), "line 2: _replay_id is"),
        (change_ids(lambda text: "ffff" + text[4:]), "line 2: the ledger knows no failed row ffff"),
        (set_all(**{ROW: "8"}), "line 2: _replay_row is '8', but _replay_id is"),
        (set_all(**{RUN: "20200101-000000-abcd"}), "20200101-000000-abcd"),
    ],
    ids=["emptied", "blanked", "cut", "cut in front", "cut short", "changed", "another row", "another run"],
)
def test_a_file_whose_ids_were_lost_is_refused_with_its_lines_and_sends_nothing(desk, change, words):
    path = one_ambiguous(desk)
    edited(path, change)
    for what in ("last", desk.write("moved.csv", path.read_bytes())):
        ended, sent = resent(desk, what)
        assert words in usage_error(ended)
        assert sent == []


def test_one_row_without_an_id_among_others_is_refused_by_its_line(desk):
    path = rejected(desk, 2, 5, 7)
    edited(path, lambda rows: [rows[0], rows[1] | {ID: "", ROW: ""}, rows[2]])
    ended, sent = resent(desk)
    says = usage_error(ended)
    assert "line 3: has no _replay_id" in says
    assert "line 2" not in says
    assert "replay send" in says
    assert sent == []


def test_of_many_rows_without_an_id_a_few_are_named_and_the_others_are_counted(desk):
    path = rejected(desk, *range(1, 31), count=30)
    edited(path, change_ids(lambda _: ""))
    ended, _ = resent(desk)
    assert usage_error(ended).count("has no _replay_id") == 10
    assert "and 20 more" in usage_error(ended)


def test_a_row_number_that_lost_its_cell_or_became_a_decimal_is_taken_from_the_id(desk):
    path = rejected(desk, 2, 5)
    edited(path, lambda rows: [rows[0] | {ROW: ""}, rows[1] | {ROW: "5.0"}])
    ended, sent = resent(desk)
    assert (ended.code, sent) == (0, ["row 2", "row 5"])
    assert "skipped" in ended.json["rows"]


def test_an_id_that_was_filled_down_is_refused_where_no_row_of_the_content_failed_so(desk):
    path = rejected(desk, 2, 9)
    more = {"memo": "filled down", ROW: "10"}
    edited(path, lambda rows: [*rows, rows[1] | more | {ID: rows[1][ID][:-1] + "10"}])
    ended, sent = resent(desk)
    assert "line 4: the ledger knows no failed row" in usage_error(ended)
    assert sent == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda row: {name: cell for name, cell in row.items() if name != ID}, "_replay_id is missing"),
        (
            lambda row: {(name.upper() if name == ID else name): cell for name, cell in row.items()},
            "'_REPLAY_ID'",
        ),
        (lambda row: {name: cell for name, cell in row.items() if "_replay" not in name}, "replay send"),
    ],
    ids=["dropped", "renamed", "all dropped"],
)
def test_a_table_that_lost_its_column_of_ids_is_refused(desk, change, words):
    path = one_ambiguous(desk)
    edited(path, lambda rows: [change(row) for row in rows])
    for what in ("last", desk.write("moved.csv", path.read_bytes())):
        ended, sent = resent(desk, what)
        assert words in usage_error(ended)
        assert sent == []


def test_columns_may_be_in_another_order(desk):
    path = rejected(desk, 2, 5)
    edited(path, lambda rows: [dict(sorted(row.items(), reverse=True)) for row in rows])
    ended, sent = resent(desk)
    assert (ended.code, sent) == (0, ["row 2", "row 5"])


def test_two_equal_rows_with_one_id_count_once(desk):
    path = rejected(desk, 2, 5)
    edited(path, lambda rows: [*rows, rows[0]])
    ended, sent = resent(desk)
    assert (ended.code, sent) == (0, ["row 2", "row 5"])


def test_a_row_that_was_copied_and_then_edited_is_refused_instead_of_dropped(desk):
    path = rejected(desk, 2, 5)
    edited(path, lambda rows: [*rows, rows[0] | {"memo": "a new row"}])
    ended, sent = resent(desk)
    says = usage_error(ended)
    assert "line 4: has the _replay_id of" in says
    assert "line 2" in says
    assert sent == []


def test_blank_rows_that_a_spreadsheet_adds_are_no_rows(desk):
    path = rejected(desk, 2, 5)
    path.write_text(path.read_text() + "," * (len(table(path)[0]) - 1) + "\n" + " ," * 10 + "\n")
    ended, sent = resent(desk)
    assert (ended.code, sent) == (0, ["row 2", "row 5"])
    assert ended.rows["read"] == 2
    assert "--only takes them" not in ended.err


def api_records(desk, count=4):
    lines = [
        json.dumps({"event": {"key": "buy", "properties": {"memo": f"row {n}"}}, "user": {"userId": f"u{n}"}})
        for n in range(1, count + 1)
    ]
    desk.write("rows.jsonl", "\n".join(lines))
    with Server(
        lambda request, _: (
            Reset() if b"row 2" in request.body else Reply(400 if b"row 3" in request.body else 200)
        )
    ) as server:
        assert desk.type("send", "rows.jsonl", "--url", server.url, "--yes", "--json").code == 4
    return desk.failed("rows.jsonl")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at, record: record.pop("_replay"), "replay send"),
        (lambda at, record: at and record.pop("_replay"), "line 2: has no _replay_id"),
        (lambda at, record: record["_replay"].pop("id"), "line 1: has no _replay_id"),
        (lambda at, record: record["_replay"].update(id=12), "line 1: _replay_id is '12'"),
        (lambda at, record: record.update(_replay="x"), "replay send"),
    ],
    ids=["all dropped", "one dropped", "without id", "a number", "another value"],
)
def test_records_that_lost_their_note_are_refused(desk, change, words):
    path = api_records(desk)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for at, record in enumerate(records):
        change(at, record)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    ended, sent = resent(desk)
    assert words in usage_error(ended)
    assert sent == []


def test_records_that_share_an_id_are_compared_by_what_they_hold(desk):
    path = api_records(desk)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    ended, sent = resent(desk, "last", "--dry-run")
    assert ended.rows["pending"] == 1
    path.write_text("\n".join([*lines, lines[1].replace("row 3", "row three")]) + "\n")
    ended, sent = resent(desk)
    assert "line 3: has the _replay_id of" in usage_error(ended)
    assert sent == []


def test_sending_a_failed_file_asks_for_its_ids_too(desk):
    path = one_ambiguous(desk)
    edited(path, lambda rows: [rows[0] | {ID: ""}, rows[1]])
    moved = desk.write("moved.csv", path.read_bytes())
    with Server() as server:
        ended = desk.send(server, source=moved)
    assert "line 2: has no _replay_id" in usage_error(ended)
    assert server.events == []


def test_a_file_of_which_this_ledger_knows_no_row_is_refused(desk):
    path = rejected(desk, 2, 5)
    with Server() as server:
        ended = resend(desk, server, path, "--ledger", "another.sqlite")
    assert "--ledger" in usage_error(ended)
    assert server.events == []


def test_a_failed_file_names_its_run_and_a_moved_one_is_resent_as_that_run_did(desk):
    path = rejected(desk, 2)
    moved = desk.write("moved.csv", path.read_bytes())
    assert [row[6] for row in table(path)] == [RUN, desk.runs[-1].name]
    with Server(refused("row 2")) as server:  # the latest run of the content has another mapping
        other = (desk.folder / "map.toml").read_text().replace('memo = "memo"', 'memo = "amount"')
        desk.write("other.toml", other)
        desk.type(
            "send", "rows.csv", "--map", "other.toml", "--url", server.url, "--again", "--yes", "--json"
        )
    ended, sent = resent(desk, moved, "--again")
    assert (ended.code, sent) == (0, ["row 2"])


def test_a_failed_file_of_the_version_before_belongs_to_the_run_that_recorded_its_ids(desk):
    path = rejected(desk, 2, 5)
    old = [{name: cell for name, cell in row.items() if name != RUN} for row in rows_of(path)]
    edited(path, lambda _: old)
    moved = desk.write("moved.csv", path.read_bytes())
    ended, sent = resent(desk, moved)
    assert (ended.code, sent) == (0, ["row 2", "row 5"])


def rows_of(path):
    header, *rows = table(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_rows_of_several_runs_in_one_file_are_resent_where_target_and_mapping_agree(desk):
    with Server(refused("row 2", "row 12")) as server:
        desk.numbered(3)
        assert desk.send(server).code == 3
        desk.csv(*(f"buy,user{n},{n},row {n}" for n in range(11, 14)), name="more.csv")
        assert desk.send(server, source="more.csv").code == 3
        rows = rows_of(desk.failed(run=0)) + rows_of(desk.failed("more.csv"))
        joined = desk.write("joined.csv", desk.failed("more.csv").read_bytes())
        edited(joined, lambda _: [row | {"memo": f"fixed {row['memo']}"} for row in rows])
        assert resend(desk, server, joined).code == 0
    assert sorted(memos(server))[:2] == ["fixed row 12", "fixed row 2"]


def test_rows_of_runs_with_different_mappings_in_one_file_are_refused(desk):
    first = rows_of(rejected(desk, 2))
    desk.write("other.toml", (desk.folder / "map.toml").read_text().replace('memo = "memo"', 'note = "memo"'))
    desk.write("others.csv", (desk.folder / "rows.csv").read_text().replace("row 2", "other 2"))
    with Server(lambda *_: Reply(400)) as server:
        desk.type(
            "send",
            "others.csv",
            "--map",
            "other.toml",
            "--url",
            server.url,
            "--limit",
            "1",
            "--yes",
            "--json",
        )
    second = rows_of(desk.failed("others.csv"))
    joined = desk.write("joined.csv", desk.failed("others.csv").read_bytes())
    edited(joined, lambda _: first + second)
    ended, sent = resent(desk, joined)
    assert desk.runs[0].name in usage_error(ended)
    assert desk.runs[1].name in usage_error(ended)
    assert sent == []


def test_settling_by_a_file_asks_for_its_ids_too(desk):
    path = one_ambiguous(desk)
    run = desk.runs[-1].name
    moved = desk.write("moved.csv", path.read_bytes())
    edited(moved, change_ids(lambda text: ""))
    ended = desk.type("settle", run, moved, "--as", "delivered", "--json")
    assert "line 2: has no _replay_id" in usage_error(ended)
    edited(moved, lambda _: [row | {ID: row[ID].upper()} for row in rows_of(path)])
    assert desk.type("settle", run, moved, "--as", "delivered", "--json").rows["delivered"] == 2
