"""Sender processes mark rows and count requests in the window of the run that they work for."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import DELIVERED, opening, said_of, windows

from replay.ledger import Marks, begin, open_ledger, recover_dead, totals
from replay.ledger.window import GROW_PAGES, PARTS, is_live
from replay.records import Outcome
from replay.settings import PROCESSES_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Book, Store

RUN = """
import subprocess, sys
from pathlib import Path
from ledger.shelf import opening
from replay.ledger import Marks, begin, open_ledger
with open_ledger(Path(sys.argv[1])) as store:
    book = begin(store, opening(store, "run"))
    (copy,) = book.copies.values()
    slots = book.announce([(copy, row) for row in (1, 2, 3)])
    marks = Marks(book.share(), 1)
    marks.start(slots[0])
    marks.count(5, 2, 1)
    orphan = "import sys; sys.stdin.read()"
    subprocess.Popen([sys.executable, "-c", orphan], pass_fds=[book.share()], stdout=subprocess.DEVNULL)
    print("there", flush=True)
    sys.stdin.read()
"""


ASK = """
import sys
from pathlib import Path
from replay.ledger import window
window.ORPHAN_SECONDS = 60
print(window.is_live(Path(sys.argv[1])))
"""
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


@pytest.fixture
def book(store: Store) -> Iterator[Book]:
    with begin(store, opening(store, "run")) as begun:
        yield begun


def announced(book: Book, rows: range) -> list[int]:
    (copy,) = book.copies.values()
    return book.announce([(copy, row) for row in rows])


def test_what_a_process_marked_is_what_the_run_reads(book: Book) -> None:
    slots = announced(book, range(1, 6))
    marks = Marks(book.share(), 1)
    for slot in slots[:4]:
        marks.start(slot)
    marks.wait(slots[1])
    marks.end(slots[2], Outcome.DELIVERED)
    marks.end(slots[3], Outcome.REJECTED)
    outcomes = [None if (result := book.marked(slot)) is None else result.outcome for slot in slots]
    assert outcomes == [Outcome.AMBIGUOUS, None, Outcome.DELIVERED, Outcome.REJECTED, None]
    assert book.marked(-1) is None


def test_rows_beyond_what_was_mapped_are_marked_when_the_window_has_grown(store: Store, book: Book) -> None:
    marks = Marks(book.share(), 1)
    slots = [announced(book, range(row, row + 1))[0] for row in range(1, GROW_PAGES + 9)]
    for slot in slots:
        marks.start(slot)
    marks.end(slots[0], Outcome.DELIVERED)
    book.close()
    (copy,) = book.copies.values()
    said = said_of(store, copy, range(1, GROW_PAGES + 9))
    assert said.pop(1) is Outcome.DELIVERED
    assert set(said.values()) == {Outcome.AMBIGUOUS}
    assert len(said) == GROW_PAGES + 7


def test_a_page_that_is_used_again_says_nothing_of_its_last_rows(book: Book) -> None:
    (copy,) = book.copies.values()
    (slot,) = announced(book, range(1, 2))
    marks = Marks(book.share(), 1)
    marks.end(slot, Outcome.DELIVERED)
    book.end(slot, copy, 1, DELIVERED)
    book.write()
    (again,) = announced(book, range(2, 3))
    assert again == slot
    assert book.marked(again) is None


def test_each_process_counts_for_itself_and_the_ledger_has_the_sum(store: Store, book: Book) -> None:
    assert PARTS > PROCESSES_MAX
    for part in (1, 2, PROCESSES_MAX):
        Marks(book.share(), part).count(10, 2, 1)
        assert book.tallied(part) == (10, 2, 1)
    assert book.tallied(3) == (0, 0, 0)
    book.close()
    counted = totals(store, book.run)
    assert (counted.requests, counted.retries, counted.duplicates) == (30, 6, 3)


@contextmanager
def killed_run(ledger: Path) -> Iterator[None]:
    """A run that was killed; its last process lives to the end of the block."""
    command = [sys.executable, "-c", RUN, str(ledger)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, **PIPES) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.kill()
        process.wait()
        yield


def is_held(window: Path) -> bool:
    """Whether a process holds the lock of a window right now."""
    with window.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_dead_runs_last_process_is_waited_for_and_then_the_run_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replay.ledger.window.ORPHAN_SECONDS", 60)
    ledger = tmp_path / "ledger.sqlite"
    with ThreadPoolExecutor(1) as other:
        with killed_run(ledger):
            (window,) = windows(ledger)
            assert is_held(window)
            found = other.submit(is_live, window)
        assert not found.result()
    with open_ledger(ledger) as store:
        recover_dead(store)
        assert said_of(store, 1, range(1, 4)) == {1: Outcome.AMBIGUOUS}
        counted = totals(store, 1)
    assert (counted.requests, counted.retries, counted.duplicates) == (5, 2, 1)


def test_a_run_of_this_very_process_is_live_at_once_and_stays_so(
    book: Book, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (window,) = windows(store.path)
    monkeypatch.setattr("replay.ledger.window.ORPHAN_SECONDS", 60)
    began = time.monotonic()
    assert is_live(window)
    said = subprocess.run(
        [sys.executable, "-c", ASK, window], capture_output=True, text=True, check=True
    ).stdout
    assert said == "True\n"
    assert time.monotonic() - began < 60, "nobody took it for one that ends by itself"
