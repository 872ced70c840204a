"""No two live runs send the same rows, whatever they do at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import AMBIGUOUS, DELIVERED, URL, opening, said_of, windows

from replay.errors import BusyError, StorageError, UsageError
from replay.ledger import (
    Destination,
    Store,
    begin,
    find_target,
    open_ledger,
    recover_dead,
    reopen,
    totals,
)
from replay.ledger.window import Window, is_live
from replay.records import Outcome

if TYPE_CHECKING:
    from replay.settings import Postgres

RACER = """
import json, os, sys, time
from pathlib import Path
from ledger.shelf import DELIVERED, opening
from replay.errors import BusyError
from replay.ledger import begin, open_ledger, recover_dead, reopen
from replay.settings import parse_ledger
ledger, name, how, start, windows = sys.argv[1:]
ledger, start, windows = parse_ledger(ledger), float(start), Path(windows)
while time.time() < start:
    pass
with open_ledger(ledger, windows) as store:
    try:
        if how == "recover":
            recover_dead(store)
            print(json.dumps("recovered"))
            sys.exit()
        book = {"begin": begin, "reopen": reopen}[how](store, opening(store, name))
    except BusyError:
        print(json.dumps("busy"))
        sys.exit()
    (copy,) = book.copies.values()
    print(json.dumps(copy), flush=True)
    sys.stdin.read()
    for slot in book.announce([(copy, 1)]):
        book.start(slot)
        book.end(slot, copy, 1, DELIVERED)
    book.close()
"""


def race(ledger: Path | Postgres, windows: Path, *racers: tuple[str, str]) -> list[object]:
    """What each of these processes got that started at the same moment; then all of them end."""
    import time  # noqa: PLC0415

    start = str(time.time() + 0.4)
    place = str(ledger) if isinstance(ledger, Path) else ledger.url
    running = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, place, name, how, start, str(windows)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, how in racers
    ]
    said = [json.loads(one.stdout.readline()) for one in running if one.stdout]
    for one in running:
        one.communicate()
        assert one.returncode == 0
    return said


@pytest.mark.parametrize("_", range(3))
def test_of_two_that_begin_with_the_same_rows_one_is_refused(
    tmp_path: Path, ledger: Path | Postgres, _: int
) -> None:
    said = race(ledger, tmp_path, ("one", "begin"), ("two", "begin"), ("three", "begin"))
    assert sorted(map(str, said)) == ["1", "busy", "busy"]


@pytest.mark.parametrize("_", range(3))
def test_of_two_that_resume_the_same_dead_run_one_is_refused(
    tmp_path: Path, ledger: Path | Postgres, _: int
) -> None:
    with open_ledger(ledger, tmp_path) as store, begin(store, opening(store, "run")) as book:
        (copy,) = book.copies.values()
        book.start(book.announce([(copy, 5), (copy, 6)])[0])
    said = race(ledger, tmp_path, ("run", "reopen"), ("run", "reopen"), ("x", "recover"), ("y", "recover"))
    assert sorted(map(str, said)) == ["1", "busy", "recovered", "recovered"]
    with open_ledger(ledger, tmp_path) as store:
        assert said_of(store, copy, range(1, 7)) == {1: Outcome.DELIVERED, 5: Outcome.AMBIGUOUS}
    assert windows(tmp_path / "any") == []


def test_a_live_run_is_never_taken_for_dead(tmp_path: Path, ledger: Path | Postgres) -> None:
    with (
        open_ledger(ledger, tmp_path) as store,
        begin(store, opening(store, "run")) as book,
        open_ledger(ledger, tmp_path) as other,
    ):
        (copy,) = book.copies.values()
        book.announce([(copy, 1)])
        recover_dead(other)
        with pytest.raises(BusyError, match="run is sending these rows right now"):
            begin(other, opening(other, "second"))
        with pytest.raises(BusyError):
            reopen(other, opening(other, "run"))
        book.announce([(copy, 2)])
        assert len(windows(store.path)) == 1


def test_runs_over_other_rows_live_side_by_side(tmp_path: Path, ledger: Path | Postgres) -> None:
    with (
        open_ledger(ledger, tmp_path) as store,
        open_ledger(ledger, tmp_path) as other,
        begin(store, opening(store, "one", b"a\n")) as first,
        begin(other, opening(other, "two", b"b\n")) as second,
    ):
        for book in (first, second):
            (copy,) = book.copies.values()
            for slot in book.announce([(copy, 1)]):
                book.end(slot, copy, 1, DELIVERED)
            book.close()
            assert totals(store, book.run).rows == {"delivered": 1}


def test_a_run_that_dies_while_another_is_planned_is_ended_before_that_one_begins(
    tmp_path: Path, ledger: Path | Postgres
) -> None:
    with open_ledger(ledger, tmp_path) as store:
        first = begin(store, opening(store, "one"))
        (copy,) = first.copies.values()
        planned = opening(store, "two")
        first.start(first.announce([(copy, 1)])[0])
        first.__exit__(None, None, None)
        with begin(store, planned):
            assert said_of(store, copy, range(1, 2)) == {1: Outcome.AMBIGUOUS}


def test_a_run_that_dies_just_after_it_was_looked_at_is_still_in_the_way(
    tmp_path: Path, ledger: Path | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ledger(ledger, tmp_path) as store:
        begin(store, opening(store, "one")).__exit__(None, None, None)
        monkeypatch.setattr(type(store), "is_live", lambda *_: True)
        with pytest.raises(BusyError, match="one is sending"):
            begin(store, opening(store, "two"))
        with pytest.raises(BusyError, match="one is sending"):
            reopen(store, opening(store, "one"))
        monkeypatch.undo()
        begin(store, opening(store, "two")).close()


def test_a_leftover_window_of_entries_that_the_ledger_lost_is_damage(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.sqlite") as store:
        with begin(store, opening(store, "one")) as book:
            (copy,) = book.copies.values()
            book.announce([(copy, 1)])
        store.path.unlink()
        for part in ("-wal", "-shm"):
            store.path.with_name(f"ledger.sqlite{part}").unlink()
    with open_ledger(tmp_path / "ledger.sqlite") as store, pytest.raises(StorageError, match="are missing"):
        begin(store, opening(store, "two"))


def test_windows_that_nobody_needs_are_swept(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    Window(tmp_path / "ledger.sqlite.never-begun.1.00000000.window").close(remove=False)
    with open_ledger(ledger, tmp_path) as store:
        recover_dead(store)
    assert windows(ledger) == []


def test_many_may_ask_whether_a_window_is_live(tmp_path: Path) -> None:
    window = Window(tmp_path / "w")
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_live, [window.path] * 200))
    window.close(remove=False)
    assert not is_live(window.path)


def test_what_another_run_left_ambiguous_is_told_until_one_delivers_it(
    tmp_path: Path, ledger: Path | Postgres
) -> None:
    from replay.ledger import History  # noqa: PLC0415

    with open_ledger(ledger, tmp_path) as store:
        for name, result in (("one", AMBIGUOUS), ("two", DELIVERED)):
            with begin(store, opening(store, name)) as book:
                (copy,) = book.copies.values()
                past = History(store, copy, book.run).past(1, 10)
                assert past.ambiguous == ({} if name == "one" else {7: "one"})
                for slot in book.announce([(copy, 7)]):
                    book.end(slot, copy, 7, result)
                book.close()
        past = History(store, copy).past(1, 10)
        assert (past.delivered, past.ambiguous) == ([(7, 7)], {})
        assert History(store, copy, again=True).past(1, 10).is_blank


def test_a_run_of_another_ledger_is_told_so(tmp_path: Path, ledger: Path | Postgres) -> None:
    with open_ledger(ledger, tmp_path) as store, pytest.raises(StorageError, match="--ledger"):
        reopen(store, opening(store, "never"))


def target(store: Store, name: str, **said: object) -> int:
    with begin(store, opening(store, name, destination=Destination(**({"url": URL} | said)))) as book:  # type: ignore[arg-type]
        book.close()
    return int(store.one("SELECT target FROM runs WHERE name = ?", name))


def test_another_key_is_refused_unless_it_is_said_what_it_is(tmp_path: Path, ledger: Path | Postgres) -> None:
    with open_ledger(ledger, tmp_path) as store:
        known = target(store, "first", key="one")
        with pytest.raises(UsageError, match="--same-target"):
            target(store, "refused", key="two")
        assert target(store, "rotated", key="two", same_target=True) == known
        assert target(store, "rotated long ago", key="two") == known
        assert target(store, "another", key="three", again=True) != known
        if isinstance(ledger, Path):
            assert b"three" not in ledger.read_bytes()


def test_what_a_sandbox_took_is_known_to_no_other_run(tmp_path: Path, ledger: Path | Postgres) -> None:
    with open_ledger(ledger, tmp_path) as store:
        sandbox = target(store, "sandbox", key="sandbox", private=True)
        assert find_target(store, Destination(URL)) is None
        assert target(store, "true", key="sandbox") != sandbox
        assert target(store, "sandbox 2", key="sandbox", private=True) != sandbox
