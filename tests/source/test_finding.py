from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import pytest

from replay.errors import SourceError, StorageError, UsageError
from replay.settings import ReadSettings
from replay.source import Source, find, spool
from replay.source.opening import reading


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("a\n1\n")


def names(*typed: str) -> list[str]:
    return [source.name for source in find(typed, ReadSettings())]


def test_files_come_in_the_order_typed_under_the_names_typed() -> None:
    put("b.csv", "a.csv", "x.txt")
    assert names("b.csv", "x.txt", "./a.csv") == ["b.csv", "x.txt", "a.csv"]


def test_the_same_file_given_twice_is_read_once(here: Path) -> None:
    put("a.csv", "b.csv")
    Path("link.csv").symlink_to("a.csv")
    assert names("a.csv", str(here / "a.csv"), "*.csv", "link.csv") == ["a.csv", "b.csv"]


def test_a_glob_gives_its_files_in_natural_order() -> None:
    put("part-10.csv", "part-2.csv", "part-1.csv", "part-02b.csv", ".part-3.csv", "part-x.toml")
    assert names("part-*") == ["part-1.csv", "part-02b.csv", "part-2.csv", "part-10.csv"]


def test_a_recursive_glob_goes_into_folders() -> None:
    put("d/2.csv", "d/e/10.csv", "d/e/9.csv")
    assert names("d/**/*.csv") == ["d/2.csv", "d/e/9.csv", "d/e/10.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file() -> None:
    put("data[1].csv", "data1.csv")
    assert names("data[1].csv") == ["data[1].csv"]


def test_a_folder_gives_its_data_files_and_those_below_and_nothing_else() -> None:
    put(
        *(
            f"d/{name}"
            for name in ("part-10.csv.gz", "part-2.TSV", "sub/a.jsonl.bz2", "sub/b.ndjson", "c.json")
        )
    )
    put("d/map.toml", "d/.hidden.csv", "d/.git/x.csv", "d/README.md", "d/notes.txt")
    assert names("d") == [
        "d/c.json",
        "d/part-2.TSV",
        "d/part-10.csv.gz",
        "d/sub/a.jsonl.bz2",
        "d/sub/b.ndjson",
    ]


@pytest.mark.parametrize(
    "sign", ["replay-runs/x", "out/ledger.sqlite", "out/20260101-1/run.toml", "out/run.toml"]
)
def test_a_folder_that_holds_runs_is_no_data(sign: str) -> None:
    put(f"d/{sign}", f"d/{Path(sign).parent}/failed/a.csv", "d/a.csv")
    assert names("d") == ["d/a.csv"]


def test_a_failed_file_that_is_named_itself_is_read() -> None:
    put("replay-runs/ledger.sqlite", "replay-runs/1/run.toml", "replay-runs/1/failed/a.csv")
    assert names("replay-runs/1/failed/a.csv") == ["replay-runs/1/failed/a.csv"]


def test_a_name_that_is_missing_is_answered_with_near_ones() -> None:
    put("d/purchases.csv")
    with pytest.raises(UsageError, match=r"d/purchase\.csv: no such file\. Did you mean d/purchases\.csv\?"):
        names("d/purchase.csv")
    with pytest.raises(UsageError, match="no folder e either"):
        names("e/purchase.csv")
    with pytest.raises(UsageError, match=r"zzz: no such file\. Check the path"):
        names("zzz")


@pytest.mark.parametrize("typed", ["empty", "*.csv"])
def test_a_folder_or_glob_without_data_files_is_wrong_usage(typed: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(UsageError, match="no data file"):
        names(typed)


def test_addresses_come_in_the_order_typed_and_have_no_file_yet(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"")
    names = ["s3://bucket/b.csv", str(tmp_path / "a.csv"), "https://host/c.csv?sig=1"]
    found = find(names, ReadSettings())
    assert [source.name for source in found] == [*names[:2], "https://host/c.csv"]
    assert [source.path for source in found] == [None, tmp_path / "a.csv", None]


def test_a_pipe_is_not_taken_for_a_file() -> None:
    os.mkfifo("pipe.csv")
    with pytest.raises(UsageError, match="not a regular file"):
        names("pipe.csv")


def test_standard_input_needs_a_format() -> None:
    with pytest.raises(UsageError, match="--format"):
        names("-")
    assert find(["-", "-"], ReadSettings(format="csv")) == [Source("stdin", None)]


def test_standard_input_is_spooled_for_its_owner_alone(here: Path) -> None:
    spooled = spool(Source("stdin", None), here, io.BytesIO(b"a,b\n" * 100_000))
    assert spooled == Source("stdin", here / "stdin")
    assert (here / "stdin").read_bytes() == b"a,b\n" * 100_000
    assert stat.S_IMODE((here / "stdin").stat().st_mode) == 0o600


def test_a_spool_that_cannot_be_written_is_the_storage_s_failure(here: Path) -> None:
    with pytest.raises(StorageError, match="could not be kept"):
        spool(Source("stdin", None), here / "missing", io.BytesIO(b"a"))


def test_a_standard_input_that_breaks_off_is_the_source_s_failure(here: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(SourceError, match="stdin: reading failed"):
        spool(Source("stdin", None), here, Broken())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied"), "no permission"),
        (IsADirectoryError(21, "Is a directory"), "a folder"),
        (FileNotFoundError(2, "No such file"), "gone"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("odd"), "odd"),
    ],
)
def test_what_the_file_system_says_becomes_a_source_error_with_the_name(error: OSError, words: str) -> None:
    with pytest.raises(SourceError, match=rf"a\.csv: .*{words}"), reading("a.csv"):
        raise error


@pytest.mark.parametrize("typed", ["d", "d/*.csv", "d/**/*.csv"])
def test_a_pipe_in_a_folder_is_refused_by_name_and_not_waited_for_or_dropped(typed: str) -> None:
    put("d/a.csv")
    os.mkfifo("d/b.csv")
    with pytest.raises(UsageError, match=r"d/b\.csv: not a regular file"):
        names(typed)


@pytest.mark.parametrize("typed", ["d", "d/*.csv", "d/**/*.csv", "d/**", "d/**/*"])
def test_a_folder_named_as_a_file_gives_the_files_in_it_once(typed: str) -> None:
    put("d/out.csv/part-1.jsonl", "d/out.csv/part-2.jsonl")
    assert names(typed) == ["d/out.csv/part-1.jsonl", "d/out.csv/part-2.jsonl"]
