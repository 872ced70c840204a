"""The same rows in every dress that a file can have arrive as the same requests."""

import bz2
import csv
import gzip
import io
import json
import lzma
import subprocess
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli.desk import HEADER, MAP, Server, reply

MEMOS = ("NA", "00123", "커피, 라떼", 'say "hi"', "a;b|c\td", "두\n줄", " x ", "1e5")
NAMES = HEADER.split(",")
ROWS = [("구매", f"{n:05}", n * 1000, MEMOS[n % len(MEMOS)]) for n in range(1, 201)]
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


def table(delimiter=",", end="\n", rows=ROWS, header=True):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([NAMES, *rows] if header else rows)
    return text.getvalue()


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def parquet():
    stream = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(RECORDS), stream, row_group_size=70)
    return stream.getvalue().to_pybytes()


def lines(records=RECORDS):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


PLAIN = table().encode()
PAGES = [json.dumps({"next": at, "data": {"rows": RECORDS[at : at + 50]}}) for at in range(0, 200, 50)]
DRESSES = {
    "plain": ("rows.csv", PLAIN, []),
    "byte order mark": ("rows.csv", table().encode("utf-8-sig"), []),
    "UTF-16": ("rows.csv", table().encode("utf-16"), []),
    "UTF-32": ("rows.csv", table().encode("utf-32"), []),
    "CP949": ("rows.csv", table().encode("cp949"), ["--encoding", "cp949"]),
    "semicolons": ("rows.csv", table(";").encode(), []),
    "tabs": ("rows.tsv", table("\t").encode(), []),
    "bars": ("rows.csv", table("|").encode(), []),
    "CRLF": ("rows.csv", table(end="\r\n").encode(), []),
    "no last line end": ("rows.csv", PLAIN[:-1], []),
    "gzip": ("rows.csv.gz", gzip.compress(PLAIN), []),
    "bzip2": ("rows.csv.bz2", bz2.compress(PLAIN), []),
    "xz": ("rows.csv.xz", lzma.compress(PLAIN), []),
    "zstd": ("rows.csv.zst", bytes(pa.compress(PLAIN, codec="zstd", asbytes=True)), []),
    "zip": ("rows.zip", zipped(**{"export/rows.csv": PLAIN}), []),
    "misnamed": ("rows.csv", gzip.compress(PLAIN), []),
    "multi-member": ("rows.csv.gz", gzip.compress(PLAIN[:3000]) + gzip.compress(PLAIN[3000:]), []),
    "no header": ("rows.csv", table(header=False).encode(), ["--columns", HEADER]),
    "Parquet": ("rows.parquet", parquet(), []),
    "JSON array": ("rows.json", json.dumps(RECORDS, ensure_ascii=False, indent=2).encode(), []),
    "JSON array on one line": ("rows.json", json.dumps(RECORDS).encode(), []),
    "JSON pages": ("rows.json", "\n".join(PAGES).encode(), ["--records", "data.rows"]),
    "JSON Lines": ("rows.jsonl", lines(), []),
    "zip of gzip": (
        "rows.zip",
        zipped(**{f"p/{n}.json.gz": gzip.compress(lines(RECORDS[n * 20 : n * 20 + 20])) for n in range(10)}),
        [],
    ),
    "zip of tables": (
        "rows.zip",
        zipped(**{f"{n}.csv": table(rows=ROWS[n * 20 : n * 20 + 20]) for n in range(10)}),
        [],
    ),
}


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.fixture(scope="module")
def bodies():
    """What must arrive, written by hand."""
    return sorted(
        json.dumps(
            {
                "event": {"key": event, "value": amount, "properties": {"memo": memo}},
                "user": {"userId": user},
            },
            ensure_ascii=False,
        )
        for event, user, amount, memo in ROWS
    )


def arrived(server, since):
    return sorted(json.dumps(event, ensure_ascii=False) for event in server.events[since:])


@pytest.mark.parametrize("dress", DRESSES)
def test_two_hundred_rows_arrive_as_the_same_bodies(desk, server, bodies, dress):
    name, data, options = DRESSES[dress]
    desk.write(name, data)
    desk.write("map.toml", MAP)
    since = len(server.bodies)
    ended = desk.send(server, *options, source=name)
    assert (ended.code, ended.rows["delivered"], ended.rows["read"]) == (0, 200, 200), ended
    assert arrived(server, since) == bodies


def test_from_standard_input_too(desk, server, bodies):
    desk.write("map.toml", MAP)
    since = len(server.bodies)
    command = desk.spawn(
        *(
            "send",
            "-",
            "--format",
            "csv",
            "--map",
            "map.toml",
            "--url",
            server.url,
            "--rate",
            "none",
            "--yes",
        ),
        env={"HACKLE_API_KEY": "key"},
        stdin=subprocess.PIPE,
    )
    with command:
        out, err = command.communicate(table(), timeout=300)
    assert command.returncode == 0, out + err
    assert arrived(server, since) == bodies


def test_what_is_the_same_content_in_another_dress_is_not_sent_twice(desk, server):
    desk.write("map.toml", MAP)
    for dress in ("plain", "zstd", "zip", "multi-member", "zip of tables"):
        name, data, options = DRESSES[dress]
        desk.write(name, data)
        ended = desk.send(server, *options, source=name)
        assert ended.rows["delivered" if dress == "plain" else "skipped"] == 200, dress


def test_the_plan_shows_what_was_found_out(desk):
    desk.write("map.toml", MAP)
    for dress, words in {
        "semicolons": "csv, utf-8, delimiter ';'",
        "tabs": "tsv, utf-8, delimiter tab",
        "bars": "csv, utf-8, delimiter '|'",
        "zip": "csv, zip, utf-8, delimiter ','",
        "Parquet": "(parquet)",
        "JSON array": "(json, utf-8)",
        "no header": "no header",
    }.items():
        name, data, options = DRESSES[dress]
        desk.write(name, data)
        ended = desk.type("send", name, "--map", "map.toml", "--dry-run", *options)
        assert words in ended.err, (dress, ended.err)


RESENT = (
    "no header",
    "Parquet",
    "JSON array",
    "JSON pages",
    "JSON Lines",
    "zip of tables",
    "zip of gzip",
    "bars",
)


@pytest.mark.parametrize("dress", RESENT)
def test_failed_rows_of_every_dress_are_sent_again_as_they_were(desk, bodies, dress):
    name, data, options = DRESSES[dress]
    desk.write(name, data)
    desk.write("map.toml", MAP)
    failing = {f"{n:05}" for n in (1, 3, 6, 200)}
    with Server(reply(lambda body: 400 if body["user"]["userId"] in failing else 200)) as server:
        ended = desk.send(server, *options, source=name)
        assert (ended.code, ended.rows["rejected"]) == (3, 4), ended
        delivered = arrived(server, 0)
    with Server() as server:
        again = desk.type("resend", "last", "--url", server.url, "--rate", "none", "--yes", "--json")
        assert (again.code, again.rows["delivered"], again.rows["read"]) == (0, 4, 4), again
        assert sorted(delivered + arrived(server, 0)) == bodies


@pytest.mark.parametrize("dress", ["no header", "JSON pages", "zip of tables", "Parquet"])
def test_a_run_goes_on_reading_as_it_began(desk, bodies, dress):
    name, data, options = DRESSES[dress]
    desk.write(name, data)
    desk.write("map.toml", MAP)
    refusing = {"00100"}
    with Server(reply(lambda body: 401 if body["user"]["userId"] in refusing else 200)) as server:
        stopped = desk.send(server, *options, "--concurrency", "1", source=name)
        assert (stopped.code, stopped.json["stopped_by"]) == (1, "auth"), stopped
        refusing.clear()
        resumed = desk.type("resume", "last", "--json")
        assert (resumed.code, resumed.rows["delivered"]) == (0, 200), resumed
        assert arrived(server, 0) == bodies


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_that_was_cut_off_sends_the_rest_once_it_is_whole(desk, server, indent):
    desk.write("map.toml", MAP)
    records = [{**record, "memo": f"{n * 7919 % 10007} {n}"} for n, record in enumerate(RECORDS)]
    packed = gzip.compress(json.dumps(records, indent=indent).encode())
    desk.write("rows.json.gz", packed[: len(packed) // 2])
    since = len(server.bodies)
    cut = desk.send(server, source="rows.json.gz")
    assert (cut.code, cut.rows["invalid"]) == (3, 1)
    assert 20 < cut.rows["delivered"] < 180
    desk.write("rows.json.gz", packed)
    whole = desk.send(server, source="rows.json.gz")
    assert (whole.code, whole.rows["skipped"]) == (0, cut.rows["delivered"]), whole
    memos = [event["event"]["properties"]["memo"] for event in server.events[since:]]
    assert sorted(memos) == sorted(record["memo"] for record in records)


def test_pages_that_were_added_to_a_file_are_sent_and_those_before_them_are_not(desk, server):
    desk.write("map.toml", MAP)
    for pages, delivered in ((2, 100), (4, 100)):
        desk.write("rows.json", "".join(page + "\n" for page in PAGES[:pages]))
        ended = desk.send(server, "--records", "data.rows", source="rows.json")
        assert (ended.code, ended.rows["delivered"]) == (0, delivered), ended


def test_rows_of_a_table_without_quoting_fail_with_standard_quoting_and_are_sent_as_they_were(desk):
    desk.write("map.toml", MAP)
    cells = ('{"a": "b, c"}', '"half', 'in"side', "plain")
    desk.write("rows.tsv", "".join(f"buy\tuser{n}\t{n}\t{cell}\n" for n, cell in enumerate(cells)))
    options = ("--columns", HEADER, "--quotechar", "")
    with Server(reply(lambda _: 400)) as server:
        assert desk.send(server, *options, source="rows.tsv").rows["rejected"] == 4
        before = arrived(server, 0)
    header, *failed = csv.reader(
        io.StringIO(desk.failed("rows.tsv").read_text()), delimiter="\t", strict=True
    )
    assert header[:4] == NAMES
    assert tuple(row[3] for row in failed) == cells
    with Server() as server:
        again = desk.type("resend", "last", "--url", server.url, "--rate", "none", "--yes", "--json")
        assert (again.code, again.rows["delivered"]) == (0, 4), again
        memos = [event["event"]["properties"]["memo"] for event in server.events]
    assert (sorted(memos), before) == (sorted(cells), [])
