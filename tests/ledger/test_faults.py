"""When the disk or the ledger fails, the run stops in words and nothing is sent without its intent."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import DELIVERED, URL, opening, said_of

from replay.errors import StorageError
from replay.ledger import Destination, begin, open_ledger, recover_dead
from replay.ledger.faults import words_of
from replay.ledger.schema import FORMAT
from replay.ledger.window import PAGE_ROWS
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Book, Store

NO_KEY = Destination(URL)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small disk of its own, where that may be made."""
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("a disk of its own can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class Failing:
    """A connection whose disk fails at one kind of statement."""

    def __init__(self, connection: sqlite3.Connection, at: str, text: str) -> None:
        self._connection, self._at, self._text = connection, at, text

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if statement.startswith(self._at):
            raise sqlite3.OperationalError(self._text)
        return self._connection.execute(statement, values)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def announce(book: Book, first: int, rows: int = 1) -> list[int]:
    (copy,) = book.copies.values()
    return book.announce([(copy, row) for row in range(first, first + rows)])


def test_a_sync_that_fails_stops_the_run_for_good(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store, begin(store, opening(store, "run")) as book:
        whole = store._db
        store._db = Failing(whole, "COMMIT", "disk I/O error")  # type: ignore[assignment]
        with pytest.raises(StorageError, match="disk I/O error"):
            announce(book, 1)
        store._db = whole
        with pytest.raises(StorageError, match="disk I/O error"):
            announce(book, 1)


def test_a_fault_while_it_is_undone_is_told_too(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store, begin(store, opening(store, "run")) as book:
        whole = store._db
        store._db = Failing(whole, "", "disk I/O error")  # type: ignore[assignment]
        with pytest.raises(StorageError, match="disk I/O error"):
            announce(book, 1)
        store._db = whole


def test_a_full_disk_stops_the_announcing_and_keeps_what_was_known(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=600k") as small, open_ledger(small / "ledger.sqlite") as store:
        with begin(store, opening(store, "run", destination=NO_KEY)) as book:
            (copy,) = book.copies.values()
            announced, first = [], 1
            with pytest.raises(StorageError, match=r"full|No space left|make room") as fault:
                while True:
                    announced += announce(book, first, 3 * PAGE_ROWS)
                    first += 3 * PAGE_ROWS
            assert "ledger.sqlite" in str(fault.value)
            for row, slot in enumerate(announced[:5], 1):
                book.start(slot)
                book.end(slot, copy, row, DELIVERED)
            book.start(announced[5])
        survivor = tmp_path / "rescued"
        shutil.copytree(small, survivor)
    with open_ledger(survivor / "ledger.sqlite") as store:
        recover_dead(store)
        said = said_of(store, copy, range(1, first))
    assert said == dict.fromkeys(range(1, 6), Outcome.DELIVERED) | {6: Outcome.AMBIGUOUS}


def test_a_disk_too_full_to_begin_says_so(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "size=64k") as small:
        (small / "filler").write_bytes(bytes(60 * 1024))
        with pytest.raises(StorageError, match="make room"), open_ledger(small / "ledger.sqlite") as store:
            begin(store, opening(store, "run"))


def test_a_window_that_cannot_grow_stops_the_announcing(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store, begin(store, opening(store, "run")) as book:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = book._window.path.stat().st_size + 10
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(StorageError, match="make room"):
                for _ in range(1, 200):
                    book._window.lend()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        book.close()


def test_a_ledger_that_may_not_grow_stops_the_announcing(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store, begin(store, opening(store, "run")) as book:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = store.path.with_name("ledger.sqlite-wal").stat().st_size + 100
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(StorageError, match="the disk failed"):
                announce(book, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_read_only_folder_is_told(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m") as disk:
        with open_ledger(disk / "ledger.sqlite"):
            pass
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(StorageError, match=r"read-only|cannot be opened"):
            open_ledger(disk / "ledger.sqlite")
        with pytest.raises(StorageError, match=r"read-only"):
            open_ledger(disk / "new.sqlite")


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="folder exists"):
        open_ledger(tmp_path / "nowhere" / "ledger.sqlite")


def test_a_ledger_that_another_process_holds_is_told(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite", busy_seconds=0.05) as store:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match=r"another process has held it for 0\.05 seconds"):
            begin(store, opening(store, "run"))
        other.execute("ROLLBACK")
        other.close()
        begin(store, opening(store, "run")).close()


def test_an_exclusive_lock_while_it_is_opened_is_told(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="another process"):
        open_ledger(tmp_path / "ledger.sqlite", busy_seconds=0.05)
    other.close()


def test_another_programs_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE photos (id)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a ledger of this tool"):
        open_ledger(path)
    assert path.read_bytes() == before


def test_a_text_file_under_the_ledgers_name_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("userId,event\n" * 100)
    with pytest.raises(StorageError, match="no ledger, or damaged"):
        open_ledger(path)
    assert path.read_text() == "userId,event\n" * 100


def rewrite(store: Store, statement: str) -> None:
    store.ask(statement)


def test_a_ledger_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store:
        rewrite(store, f"PRAGMA user_version = {FORMAT + 1}")
    with pytest.raises(StorageError, match="newer hackle-replay"):
        open_ledger(tmp_path / "ledger.sqlite")


def test_a_ledger_with_other_tables_is_refused(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store:
        rewrite(store, "ALTER TABLE words ADD COLUMN more")
    with pytest.raises(StorageError, match="tables are not those"):
        open_ledger(tmp_path / "ledger.sqlite")


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").touch()
    with open_ledger(tmp_path / "ledger.sqlite") as store:
        begin(store, opening(store, "run")).close()


def test_a_ledger_and_its_window_are_only_for_its_owner(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_ledger(tmp_path / "ledger.sqlite") as store, begin(store, opening(store, "run")):
            assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
            assert len(list(tmp_path.iterdir())) == 4  # the ledger, its journal, its index, the window
    finally:
        os.umask(before)


def test_a_fault_without_words_keeps_its_own(tmp_path: Path) -> None:
    assert words_of(sqlite3.OperationalError("no such thing"), 1) == "no such thing"
    assert words_of(OSError(5, "Input/output error"), 1).startswith("the disk failed (Input/output error)")
