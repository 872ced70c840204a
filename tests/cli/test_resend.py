"""Failed rows come back as they were read, and are sent again until they arrive."""

import csv
import gzip
import io
import json
import re

import pytest
from cli.desk import HEADER, MAP, Server, reply
from sink.origin import Reply, Reset

NOTES = [
    "_replay_id",
    "_replay_row",
    "_replay_run",
    "_replay_outcome",
    "_replay_status",
    "_replay_attempts",
    "_replay_reason",
]
LONG = "12345678901234567890123"


def refused(*memos):
    """Answers that refuse the rows with these memos."""
    return reply(lambda body: 400 if body["event"]["properties"]["memo"] in memos else 200)


def table(path, delimiter=","):
    return list(
        csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), delimiter=delimiter, strict=True)
    )


def memos(server):
    return [event["event"]["properties"]["memo"] for event in server.events]


def resend(desk, server, what="last", *arguments):
    return desk.type("resend", what, "--url", server.url, "--rate", "none", "--yes", "--json", *arguments)


def test_refused_rows_come_back_as_they_were_read_in_their_order_with_a_note(desk):
    rows = [
        ["buy", f"{n:05}", f"{n}.50", memo]
        for n, memo in enumerate(("a", 'b "q"', "c\nd", "e\rf", "가", "g"), 1)
    ]
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([HEADER.split(","), *rows])
    desk.write("rows.csv", text.getvalue())
    desk.write("map.toml", MAP)
    with Server(refused('b "q"', "c\nd", "e\rf", "가")) as server:
        ended = desk.send(server)
    assert ended.code == 3
    header, *failed = table(desk.failed())
    assert header == [*HEADER.split(","), *NOTES]
    assert [row[:4] for row in failed] == rows[1:5]
    run = ended.json["run"]
    assert [row[5:] for row in failed] == [[str(n), run, "rejected", "400", "1", "400"] for n in (2, 3, 4, 5)]
    assert len({row[4] for row in failed}) == 4


@pytest.mark.parametrize("what", ["last", "RUN", "FOLDER", "FILE", "MOVED"])
def test_a_resend_delivers_exactly_the_rows_that_failed(desk, what):
    desk.numbered(9)
    with Server(refused("row 3", "row 7")) as server:
        run = desk.send(server).json
    names = {"RUN": run["run"], "FOLDER": run["files"]["folder"], "FILE": run["files"]["failed"][0]}
    if what == "MOVED":
        names["MOVED"] = desk.write("moved away.csv", desk.failed().read_bytes())
    with Server() as server:
        ended = resend(desk, server, names.get(what, what))
    assert ended.code == 0, ended
    assert sorted(memos(server)) == ["row 3", "row 7"]
    assert ended.rows["read"] == ended.rows["delivered"] == 2
    assert ended.json["command"] == "resend"


def test_an_edited_failed_file_sends_what_it_says_now(desk):
    desk.numbered(4)
    with Server(refused("row 2", "row 4")) as server:
        desk.send(server)
    text = desk.failed().read_text().replace("row 2", "fixed")
    moved = desk.write("fixed.csv", text)
    with Server() as server:
        assert resend(desk, server, moved).code == 0
    assert sorted(memos(server)) == ["fixed", "row 4"]


def test_the_first_name_of_a_row_holds_over_two_resends(desk):
    desk.numbered(5)
    with Server(refused("row 2", "row 5")) as server:
        desk.send(server)
        assert resend(desk, server).code == 3
        assert resend(desk, server).code == 3
    names = [[row[4:6] for row in table(desk.failed(run=run))[1:]] for run in range(3)]
    assert names[0] == names[1] == names[2]
    assert [row for _, row in names[0]] == ["2", "5"]
    with Server() as server:
        assert resend(desk, server).code == 0
    assert sorted(memos(server)) == ["row 2", "row 5"]


def test_records_come_back_byte_for_byte_with_one_member_more(desk):
    members = '"event": {"key": "buy", "value": %s, "properties": {"memo": "%s", "n": 1.0, "m": 1e5}}'
    user = '"user":{"userId":"0012","identifiers":{}}'
    lines = ["{" + members % (LONG, memo) + ", " + user + "}" for memo in ("a", "b", "c")]
    desk.write("rows.jsonl", "\r\n".join(lines))
    with Server(refused("b")) as server:
        ended = desk.type("send", "rows.jsonl", "--url", server.url, "--yes", "--json")
        sent = next(request.body for request in server.origin.requests if b'"b"' in request.body)
    assert ended.code == 3
    line = desk.failed("rows.jsonl").read_text()
    assert members % (LONG, "b") in line.replace('"event":{', '"event": {')
    assert user in line
    note = json.loads(line)["_replay"]
    assert {name: value for name, value in note.items() if name != "id"} == {
        "row": 2,
        "run": ended.json["run"],
        "outcome": "rejected",
        "status": 400,
        "attempts": 1,
        "reason": "400",
    }
    with Server() as server:
        assert resend(desk, server).code == 0
    assert server.bodies == [sent]


@pytest.mark.parametrize(("name", "delimiter"), [("rows.csv", ";"), ("rows.tsv", "\t"), ("rows.csv", "|")])
def test_a_table_keeps_its_delimiter(desk, name, delimiter):
    desk.numbered(3)
    text = (
        (desk.folder / "rows.csv").read_text().replace(",", delimiter).replace("row 2", f'"row{delimiter}2"')
    )
    desk.write(name, text)
    with Server(refused(f"row{delimiter}2")) as server:
        assert desk.send(server, source=name).code == 3
    assert table(desk.failed(name), delimiter)[1][:4] == ["buy", "user2", "2", f"row{delimiter}2"]
    moved = desk.write("moved.txt", desk.failed(name).read_bytes())
    for what in ("last", moved):
        with Server() as server:
            assert resend(desk, server, what).code == 0
        assert memos(server) == [f"row{delimiter}2"]
        if what == "last":
            assert "nothing to send again" in resend(desk, server).json["error"]["message"]


def test_a_table_without_quoting_comes_back_quoted_and_is_read_so(desk):
    desk.write("map.toml", MAP)
    desk.write("rows.tsv", HEADER.replace(",", "\t") + '\nbuy\tu1\t1\tsay "hi"\nbuy\tu2\t2\t"half\n')
    with Server(refused('say "hi"', '"half')) as server:
        assert desk.send(server, "--quotechar", "", source="rows.tsv").code == 3
    assert [row[3] for row in table(desk.failed("rows.tsv"), "\t")[1:]] == ['say "hi"', '"half']
    with Server() as server:
        assert resend(desk, server).code == 0
    assert sorted(memos(server)) == ['"half', 'say "hi"']


def test_a_header_that_begins_with_a_byte_order_mark_of_its_own_keeps_it(desk):
    desk.write("rows.csv", b'\xef\xbb\xbf"\xef\xbb\xbfevent",user,memo\nbuy,u,no\n')
    sets = [
        f"--set={text}"
        for text in ("event.key=\ufeffevent", "user.userId=user", "event.properties.memo=memo")
    ]
    with Server(refused("no")) as server:
        ended = desk.type("send", "rows.csv", *sets, "--url", server.url, "--yes", "--json")
    assert ended.code == 3, ended
    with Server() as server:
        ended = resend(desk, server)
    assert ended.code == 0, ended
    assert server.events[0]["event"]["key"] == "buy"


def test_a_compressed_source_fails_into_a_plain_file(desk):
    plain = desk.numbered(3).read_bytes()
    desk.write("rows.csv.gz", gzip.compress(plain))
    with Server(refused("row 1")) as server:
        desk.send(server, source="rows.csv.gz")
    assert table(desk.failed("rows.csv"))[1][3] == "row 1"
    with Server() as server:
        assert resend(desk, server).code == 0
    assert memos(server) == ["row 1"]


def test_sources_of_one_name_fail_into_files_of_two_names(desk):
    (desk.folder / "b").mkdir()
    desk.numbered(2)
    desk.write("b/rows.csv", HEADER + "\nbuy,u,1,other\n")
    with Server(refused("row 1", "other")) as server:
        ended = desk.type(
            "send", "rows.csv", "b/rows.csv", "--map", "map.toml", "--url", server.url, "--yes", "--json"
        )
    folder = ended.json["files"]["folder"]
    assert ended.json["files"]["failed"] == [f"{folder}/failed/rows.csv", f"{folder}/failed/rows-2.csv"]
    with Server() as server:
        assert resend(desk, server).code == 0
    assert sorted(memos(server)) == ["other", "row 1"]


def test_standard_input_fails_into_stdin_csv(desk):
    desk.numbered(3)
    with Server(refused("row 2")) as server, (desk.folder / "rows.csv").open() as rows:
        ended = desk.alone(
            "send",
            "-",
            "--format",
            "csv",
            "--map",
            "map.toml",
            "--url",
            server.url,
            "--yes",
            "--json",
            stdin=rows,
        )
    assert ended.code == 3, ended
    assert table(desk.failed("stdin.csv"))[1][:4] == ["buy", "user2", "2", "row 2"]
    with Server() as server:
        assert resend(desk, server).code == 0
    assert memos(server) == ["row 2"]


def test_invalid_rows_are_sent_once_they_are_fixed(desk):
    desk.csv("buy,u1,1,fine", "buy,u2,none,bad", "buy,,3,nobody")
    with Server() as server:
        ended = desk.send(server)
    assert ended.code == 3
    assert ended.rows["invalid"] == 2
    rows = table(desk.failed())[1:]
    assert [(row[3], row[7], row[9]) for row in rows] == [("bad", "invalid", "0"), ("nobody", "invalid", "0")]
    assert rows[0][10].startswith("cast-failed: ")
    assert rows[1][10].startswith("user-missing: ")
    desk.failed().write_text(
        desk.failed().read_text().replace("u2,none", "u2,2").replace("buy,,3", "buy,u3,3")
    )
    with Server() as server:
        assert resend(desk, server).code == 0
    assert sorted(memos(server)) == ["bad", "nobody"]


def test_ambiguous_rows_are_left_unless_they_are_asked_for_and_the_plan_says_how_many(desk):
    desk.numbered(4)
    with Server(
        lambda request, _: (
            Reset() if b"row 2" in request.body else Reply(400 * (b"row 3" in request.body) or 200)
        )
    ) as server:
        ended = desk.send(server)
    assert ended.code == 4
    assert (ended.rows["ambiguous"], ended.rows["rejected"], ended.rows["delivered"]) == (1, 1, 2)
    run = ended.json["run"]
    with Server() as server:
        ended = resend(desk, server, run)
        assert memos(server) == ["row 3"]
        assert ended.rows["read"] == 1
        assert re.search(r"\b1 rows? .*--only", ended.err)
        ended = resend(desk, server, run, "--only", "ambiguous")
        assert memos(server) == ["row 3", "row 2"]
        assert ended.code == 0


def test_only_takes_outcomes_and_statuses(desk):
    desk.numbered(6)
    statuses = {"row 1": 400, "row 2": 413, "row 3": 422}
    with Server(reply(lambda body: statuses.get(body["event"]["properties"]["memo"], 200))) as server:
        run = desk.send(server).json["run"]
    with Server() as server:
        assert resend(desk, server, run, "--only", "413,422").code == 0
    assert sorted(memos(server)) == ["row 2", "row 3"]
    ended = resend(desk, server, run, "--only", "delivered")
    assert (ended.code, ended.json["error"]["kind"]) == (2, "usage")


def test_records_that_could_not_be_read_are_kept_apart_as_they_stand(desk):
    desk.write("map.toml", MAP)
    desk.write(
        "rows.csv",
        f"{HEADER}\nbuy,u1,1,가\nbuy,u2,2\nbuy,u3,3,a,b\nbuy,u4,4,나\n".encode() + b"buy,u5,5,\xff\n",
    )
    with Server() as server:
        ended = desk.send(server)
    assert (ended.code, ended.rows["delivered"], ended.rows["invalid"]) == (3, 2, 3)
    assert ended.json["files"]["failed"] == []
    lines = [
        json.loads(line)
        for line in (desk.folder / ended.json["files"]["unreadable"]).read_text().splitlines()
    ]
    assert [(line["source"], line["row"], line["line"]) for line in lines] == [
        ("rows.csv", 2, 3),
        ("rows.csv", 3, 4),
        ("rows.csv", 5, 6),
    ]
    assert [line.get("raw", "").strip() for line in lines] == ["buy,u2,2", "buy,u3,3,a,b", ""]
    assert "raw_base64" in lines[2]
    assert all(line["reason"] for line in lines)


def test_last_is_the_run_that_began_last_even_within_one_second(desk):
    for number in range(4):
        desk.numbered(number + 2, name=f"{number}.csv")
        with Server(refused(f"row {number + 1}")) as server:
            desk.send(server, source=f"{number}.csv")
        assert desk.type("runs", "last", "--json").json["record"]["sources"][0]["name"] == f"{number}.csv"
