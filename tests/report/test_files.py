"""What a run leaves on the disk: whole files or none, names that do not collide, counts that add up."""

import csv
import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import PurePath
from threading import Barrier, Event

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.errors import StorageError, UsageError
from replay.records import Chunk, Outcome, Result
from replay.report import (
    Counts,
    FailedFile,
    Files,
    Note,
    RowLog,
    RunFolder,
    Summary,
    SummaryFile,
    all_runs,
    as_text,
    csv_line,
    failed_names,
    find_run,
    shape_of,
    write_whole,
)

REJECTED = Result(Outcome.REJECTED, 400, 1, "400 no")
cells = st.text(st.characters(exclude_categories=("Cs",)))


def chunk_of(*rows):
    header = tuple(f"c{n}" for n in range(len(rows[0])))
    numbers = np.arange(1, len(rows) + 1)
    frame = pd.DataFrame(list(rows), dtype=str)
    return Chunk("table", header, frame, numbers, numbers + 1, None, (), 0)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1), st.sampled_from(",;\t|"))
def test_a_line_reads_back_as_the_same_cells(rows, delimiter):
    text = b"".join(csv_line(row, delimiter) for row in rows).decode()
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)) == rows


def test_a_failed_file_is_made_whole_in_the_order_of_its_rows(tmp_path):
    chunk = chunk_of(["a", "1"], ["b", "2"], ["c", "3"])
    file = FailedFile(
        tmp_path / "failed" / "rows.csv",
        shape_of("csv", chunk.header, ","),
        RowLog(tmp_path / "digests" / "rows.csv"),
    )
    for place in (2, 0):
        file.append(chunk, {place: Note(f"x-{place + 1}", place + 1, REJECTED)})
    part = tmp_path / "failed" / "rows.csv.part"
    assert [line[0] for line in part.read_text().splitlines()] == ["c", "c", "a"]
    path = file.finish(
        [(chunk, {place: Note(f"x-{place + 1}", place + 1, REJECTED, "r") for place in (0, 2)})]
    )
    assert path.read_text().splitlines()[1:] == [
        "a,1,x-1,1,r,rejected,400,1,400 no",
        "c,3,x-3,3,r,rejected,400,1,400 no",
    ]
    assert [entry.name for entry in path.parent.iterdir()] == ["rows.csv"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_file_that_cannot_be_made_whole_keeps_its_part(tmp_path):
    chunk = chunk_of(["a", "1"])
    file = FailedFile(
        tmp_path / "rows.csv", shape_of("csv", chunk.header, ","), RowLog(tmp_path / "digests" / "rows.csv")
    )
    file.append(chunk, {0: Note("x-1", 1, REJECTED)})

    def broken():
        yield chunk, {0: Note("x-1", 1, REJECTED)}
        raise StorageError("no more")

    with pytest.raises(StorageError):
        file.finish(broken())
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["rows.csv.part"]
    assert file.keep().read_text().splitlines()[1].startswith("a,1,x-1")


def test_names_are_plain_and_do_not_collide():
    sources = [
        ("a.csv", "csv"),
        ("a.csv.gz", "csv"),
        ("a-2.csv", "csv"),
        ("b", "csv"),
        ("c.json.zst", "jsonl"),
    ]
    assert failed_names(sources) == ["a.csv", "a-2.csv", "a-2-2.csv", "b.csv", "c.json.jsonl"]


@pytest.mark.parametrize("bytes_", range(249, 256))
@pytest.mark.parametrize("letter", ["a", "한", "😀"])
def test_the_failed_files_of_sources_with_the_longest_names_fit_and_differ(tmp_path, bytes_, letter):
    room = bytes_ - len(".csv")
    name = letter * (room // len(letter.encode())) + "a" * (room % len(letter.encode())) + ".csv"
    names = failed_names([(name, "csv"), (name, "csv"), (name, "csv"), (name, "jsonl")])
    assert len(set(names)) == 4
    assert [PurePath(one).suffix for one in names] == [".csv", ".csv", ".csv", ".jsonl"]
    chunk = chunk_of(["a", "1"])
    notes = {0: Note("x-1", 1, REJECTED)}
    for one in names:
        log = RowLog(tmp_path / "digests" / one)
        file = FailedFile(tmp_path / one, shape_of("csv", chunk.header, ","), log)
        file.append(chunk, notes)
        assert file.finish([(chunk, notes)]) == tmp_path / one


def test_a_whole_file_can_have_the_longest_name(tmp_path):
    write_whole(tmp_path / ("a" * 255), b"all")
    assert (tmp_path / ("a" * 255)).read_bytes() == b"all"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+82-10-1234-5678", "'+82-10-1234-5678"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("-5", "-5"),
        ("+5.25", "+5.25"),
        ("-5\n", "'-5\n"),
        ("plain = text", "plain = text"),
        ("", ""),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(cell, shown):
    assert as_text(cell) == shown


def test_a_whole_file_replaces_the_old_one_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "summary.json"
    for content in (b"old and long", b"new"):
        write_whole(path, content)
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_two_who_write_one_file_at_the_same_time_both_succeed(tmp_path, monkeypatch):
    both_are_writing, sync = Barrier(2, timeout=60), os.fsync

    def synced(descriptor):
        both_are_writing.wait()
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    path = tmp_path / "summary.json"
    with ThreadPoolExecutor(2) as threads:
        for writing in [threads.submit(write_whole, path, content) for content in (b"one", b"two")]:
            writing.result()
    assert path.read_bytes() in (b"one", b"two")
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


RUNNING = Summary("r", "send", "running", None, {"read": 1}, 0, 0, 0, 0.0, 0.0, [], Files())
FINAL = replace(RUNNING, state="finished")


def test_a_running_summary_that_is_still_being_written_does_not_overwrite_the_final_one(
    tmp_path, monkeypatch
):
    is_writing, may_go_on, sync = Event(), Event(), os.fsync

    def synced(descriptor):
        is_writing.set()
        assert may_go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    file = SummaryFile(tmp_path / "summary.json")
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(file.write, RUNNING)
        assert is_writing.wait(60)
        final = threads.submit(file.write, FINAL)
        may_go_on.set()
        running.result()
        final.result()
    file.write(RUNNING)
    assert b'"state": "finished"' in (tmp_path / "summary.json").read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["summary.json"]


def test_a_disk_that_fails_is_told_with_the_files_name(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "file", b"")


def test_reasons_beyond_the_bound_are_counted_together():
    counts = Counts(read=5_000)
    for number in range(5_000):
        word = "".join("klmnopqrst"[int(digit)] for digit in str(number))
        counts.add(Result(Outcome.REJECTED, 400, 1, f"400 no {word}"))
    counts.add(Result(Outcome.DELIVERED, 200, 1, "200 a page", reports_failure=True), rows=7)
    *listed, odd = counts.reasons_listed()
    assert odd == {"outcome": "delivered", "status": 200, "reason": "200 a page", "rows": 7}
    assert len(listed) <= 99
    assert sum(reason["rows"] for reason in listed) == 5_000


def test_a_run_is_found_by_its_id_its_folder_and_as_the_last(tmp_path, monkeypatch):
    for name in ("20250101-000000-ffff", "20250101-000000-0000"):
        (tmp_path / name).mkdir()
        RunFolder(tmp_path / name).write_record({"run": name})
    assert [folder.run for folder in all_runs(tmp_path)] == ["20250101-000000-ffff", "20250101-000000-0000"]
    assert find_run("last", tmp_path).run == "20250101-000000-0000"
    assert find_run("20250101-000000-ffff", tmp_path).run == "20250101-000000-ffff"
    monkeypatch.chdir(tmp_path / "20250101-000000-ffff")
    assert find_run(".", tmp_path).run == "20250101-000000-ffff"
    assert find_run("none", tmp_path) is None


def test_a_record_that_is_broken_is_told(tmp_path):
    (tmp_path / "run.toml").write_text("[broken")
    with pytest.raises(UsageError, match=r"run\.toml"):
        RunFolder(tmp_path).read_record()
