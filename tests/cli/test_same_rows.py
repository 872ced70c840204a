"""Which rows are the same: files cut short, small files, files without rows, Parquet files."""

import sqlite3
from hashlib import blake2b

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli.desk import HEADER, MAP, Server, reply
from cli.test_sent_before import grow, memos, resend, skipped
from sink.origin import Reply


def message(ended):
    return ended.json["error"]["message"]


def table(first, last):
    rows = range(first, last + 1)
    return pa.table(
        {
            "event": ["buy"] * len(rows),
            "user": [f"user{n}" for n in rows],
            "amount": list(rows),
            "memo": [f"row {n}" for n in rows],
        }
    )


def packed(desk, rows, name="rows.parquet", **how):
    desk.write("map.toml", MAP)
    path = desk.folder / name
    pq.write_table(table(1, rows), path, **how)
    return path


def as_format_1_knows(desk, path):
    """Let the ledger, and the run's record, know a Parquet file as format 1 did: by its bytes."""
    data = path.read_bytes()
    digest = blake2b(data, digest_size=16).hexdigest()
    with sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite") as ledger:
        ((uid,),) = ledger.execute("SELECT uid FROM contents")
        ledger.execute("UPDATE contents SET format = 1, uid = ?", (digest[:12],))
        ledger.execute("UPDATE run_copies SET format = 1")
        for gone in ("versions", "heads", "readings"):
            ledger.execute(f"DELETE FROM {gone}")
        ledger.execute("INSERT INTO versions VALUES (?, ?, 1, 1, ?, 'x')", (len(data), digest, len(data)))
    ledger.close()
    record = desk.runs[-1] / "run.toml"
    lines = record.read_text().replace(uid, digest[:12]).splitlines()
    lines = [f'digest = "{digest}"' if line.startswith("digest = ") else line for line in lines]
    lines = [f"length = {len(data)}" if line.startswith("length = ") else line for line in lines]
    record.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(("whole", "cut"), [(5, 3), (19, 1), (30, 5), (30, 19), (30, 25), (200, 150)])
def test_a_file_that_ends_before_the_delivered_end_counts_as_delivered(desk, whole, cut):
    desk.numbered(whole)
    with Server() as server:
        run = desk.send(server).json["run"]
        desk.numbered(cut, name="cut.csv")
        again = desk.send(server, source="cut.csv")
    assert (again.code, skipped(again, "delivered-before"), len(server.bodies)) == (0, cut, whole), again
    assert f"{cut} row{'s' if cut > 1 else ''} taken as delivered in run {run}" in again.err


def test_a_cut_file_of_json_lines_counts_as_delivered(desk):
    desk.write("map.toml", MAP)
    lines = [f'{{"event":"buy","user":"u{n}","amount":{n},"memo":"row {n}"}}' for n in range(12)]
    desk.write("rows.jsonl", "\n".join(lines))
    desk.write("cut.jsonl", "\n".join(lines[:7]) + "\n")
    with Server() as server:
        desk.send(server, source="rows.jsonl")
        again = desk.send(server, source="cut.jsonl")
    assert (again.code, skipped(again, "delivered-before"), len(server.bodies)) == (0, 7, 12)


def test_of_a_cut_file_what_failed_is_sent_and_nothing_else(desk):
    desk.numbered(30)
    answers = {"refused": (3, 20)}
    with Server(reply(lambda body: 400 if body["event"]["value"] in answers["refused"] else 200)) as server:
        desk.send(server)
        answers["refused"] = ()
        desk.numbered(10, name="cut.csv")
        assert desk.send(server, source="cut.csv").rows["delivered"] == 1
        assert desk.send(server).rows["delivered"] == 1
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, 31))


def test_a_cut_file_that_goes_on_otherwise_is_refused(desk):
    desk.numbered(10)
    with Server() as server:
        desk.send(server)
        path = desk.numbered(3, name="cut.csv")
        desk.send(server, source="cut.csv")
        path.write_text(path.read_text() + "buy,other,1,another row\n")
        refused = desk.send(server, source="cut.csv")
        assert (refused.code, len(server.bodies)) == (2, 10)
        grow(desk, 10, 1)
        assert desk.send(server).rows["delivered"] == 1


def test_a_file_with_all_rows_of_a_small_delivered_one_in_other_bytes_is_refused(desk):
    path = desk.numbered(5)
    with Server() as server:
        desk.send(server)
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"buy,user6,6,row 6\r\n")
        refused = desk.send(server)
    assert (refused.code, len(server.bodies)) == (2, 5)
    assert "--again" not in message(refused)


def test_a_small_file_with_another_first_row_is_another_file(desk):
    desk.numbered(5)
    desk.csv("buy,user9,9,row 9", "buy,user2,2,row 2", name="other.csv")
    with Server() as server:
        desk.send(server)
        assert desk.send(server, source="other.csv").rows["delivered"] == 2


def test_a_bad_line_that_is_taken_out_does_not_shift_what_counts_as_delivered(desk):
    rows = [f"buy,user{n},{n},row {n}" for n in range(1, 9)]
    desk.csv(*rows[:2], "short", *rows[2:])
    with Server() as server:
        desk.send(server)
        desk.csv(*rows[:5], name="cut.csv")
        refused = desk.send(server, source="cut.csv")
    assert (refused.code, len(server.bodies)) == (2, 8)


def test_files_without_rows_are_no_beginning_of_any_file(desk):
    desk.write("map.toml", MAP)
    desk.write("rows.csv", HEADER + "\n")
    desk.csv("buy,a,1,of a", name="a.csv")
    desk.csv("buy,b,2,of b", "buy,c,3,of c", name="b.csv")
    with Server() as server:
        assert desk.send(server).code == 0
        both = desk.type(
            "send", "a.csv", "b.csv", "--map", "map.toml", "--url", server.url, "--yes", "--json"
        )
        assert (both.code, both.rows["delivered"]) == (0, 3)
        assert desk.send(server).code == 0
    assert sorted(memos(server)) == ["of a", "of b", "of c"]


def test_two_files_that_go_on_differently_from_a_delivered_one_are_refused_together(desk):
    first = desk.numbered(5).read_text()
    with Server() as server:
        desk.send(server)
        desk.write("a.csv", first + "buy,a,1,of a\n")
        desk.write("b.csv", first + "buy,b,1,of b\nbuy,c,1,of c\n")
        both = desk.type(
            "send", "a.csv", "b.csv", "--map", "map.toml", "--url", server.url, "--yes", "--json"
        )
        assert (both.code, len(server.bodies)) == (2, 5)
        assert "go on differently" in message(both)


def test_the_same_rows_in_other_bytes_are_refused_in_one_command(desk):
    content = desk.numbered(5).read_bytes()
    desk.write("other.csv", content.replace(b"\n", b"\r\n"))
    with Server() as server:
        both = desk.type(
            "send", "rows.csv", "other.csv", "--map", "map.toml", "--url", server.url, "--yes", "--json"
        )
    assert (both.code, server.bodies) == (2, [])
    assert "begins with all of" in message(both)


@pytest.mark.parametrize(
    "how", [{"compression": "zstd"}, {"row_group_size": 3}, {"version": "1.0", "use_dictionary": False}]
)
def test_a_parquet_file_packed_otherwise_is_the_same(desk, how):
    packed(desk, 30)
    with Server() as server:
        desk.send(server, source="rows.parquet")
        packed(desk, 30, "other.parquet", **how)
        again = desk.send(server, source="other.parquet")
    assert (again.code, skipped(again, "delivered-before"), len(server.bodies)) == (0, 30, 30)


@pytest.mark.parametrize("rows", [1, 7, 30, 2500])
def test_a_parquet_file_that_is_written_again_with_more_rows_sends_those_alone(desk, rows):
    packed(desk, rows)
    with Server() as server:
        desk.send(server, source="rows.parquet")
        packed(desk, rows + 5, compression="gzip", row_group_size=11)
        sent = desk.send(server, "--processes", "2", source="rows.parquet")
        assert (sent.code, sent.rows["delivered"], skipped(sent, "delivered-before")) == (0, 5, rows)
        assert desk.send(server, source="rows.parquet").rows["skipped"] == rows + 5
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, rows + 6))


def test_a_parquet_file_that_changed_in_the_middle_is_refused(desk):
    packed(desk, 60)
    with Server() as server:
        desk.send(server, source="rows.parquet")
        changed = pa.concat_tables([table(1, 40), table(1, 1), table(42, 60)])
        pq.write_table(changed, desk.folder / "rows.parquet")
        refused = desk.send(server, source="rows.parquet")
    assert (refused.code, len(server.bodies)) == (2, 60)


def test_a_parquet_file_that_an_older_version_sent_is_known_by_its_bytes_and_then_by_its_cells(desk):
    path = packed(desk, 30)
    with Server() as server:
        desk.send(server, "--limit", "20", source="rows.parquet")
        as_format_1_knows(desk, path)
        assert desk.send(server, "--limit", "5", source="rows.parquet").rows["delivered"] == 5
        packed(desk, 32, compression="zstd")
        again = desk.send(server, source="rows.parquet")
    assert (again.rows["delivered"], skipped(again, "delivered-before")) == (7, 25)
    assert sorted(memos(server)) == sorted(f"row {n}" for n in range(1, 33))


def test_a_run_over_parquet_that_an_older_version_began_goes_on_and_is_sent_again(desk):
    path = packed(desk, 30)
    with Server(
        reply(
            lambda body: 401 if body["event"]["value"] > 10 else 400 if body["event"]["value"] == 4 else 200
        )
    ) as server:
        stopped = desk.send(server, "--concurrency", "1", source="rows.parquet")
        assert (stopped.code, stopped.rows["delivered"]) == (1, 9)
    as_format_1_knows(desk, path)
    with Server() as later:
        record = desk.runs[-1] / "run.toml"
        record.write_text(record.read_text().replace(server.url, later.url))
        with sqlite3.connect(desk.folder / "replay-runs" / "ledger.sqlite") as ledger:
            ledger.execute("UPDATE targets SET url = ?", (later.url,))
        ledger.close()
        resumed = desk.type("resume", "last", "--json")
        assert (resumed.code, resumed.rows["delivered"], resumed.rows["rejected"]) == (3, 29, 1)
        assert resend(desk, later, "last").rows["delivered"] == 1
        assert desk.send(later, source="rows.parquet").rows["skipped"] == 30
    assert len(memos(later)) == 21


def lines(first, last, changed=()):
    return [f"buy,user{n},{n},{'other' if n in changed else 'row'} {n}" for n in range(first, last + 1)]


def test_a_file_of_which_nothing_arrived_does_not_hide_the_delivered_one_that_it_is_like(desk):
    with Server(reply(lambda body: 400)) as server:
        desk.csv(*lines(1, 30), name="refused.csv")
        assert desk.send(server, source="refused.csv").rows["rejected"] == 30
        server.origin.answers = (Reply(),)
        desk.csv(*lines(1, 30, {25}), name="fixed.csv")
        assert desk.send(server, source="fixed.csv").rows["delivered"] == 30
        desk.csv(*lines(1, 10), name="cut.csv")
        assert desk.send(server, source="cut.csv").rows["skipped"] == 10
        ended = desk.send(server, source="refused.csv")
        assert ended.code == 2
        assert "rows of a file that begins like this one were delivered" in message(ended)
        assert len(memos(server)) == 30


def test_a_cut_that_is_read_with_other_options_is_refused_like_the_whole(desk):
    with Server() as server:
        desk.csv(*lines(1, 30))
        desk.send(server, "--limit", "5")
        desk.csv(*lines(1, 10), name="cut.csv")
        desk.send(server, source="cut.csv")
        ended = desk.send(server, "--columns", "event,user,amount,memo", source="cut.csv")
        assert (ended.code, len(memos(server))) == (2, 10)


def test_the_reading_of_a_cut_is_not_held_against_the_whole_file(desk):
    with Server() as server:
        desk.csv(*lines(1, 9), "", *lines(10, 30))
        desk.send(server, "--limit", "5")
        desk.csv(*lines(1, 30), name="close.csv")
        desk.send(server, "--limit", "5", source="close.csv")
        desk.csv(*lines(1, 9), "", *lines(10, 30))
        assert desk.send(server).code == 0
        assert len(set(memos(server))) == len(memos(server)) == 30
