"""A ledger of format 1 becomes one of format 2 wholly or not at all, and never under a live run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ledger.shelf import AMBIGUOUS, DELIVERED, REJECTED, URL, content_of, said_of, windows

from replay.errors import BusyError, StorageError
from replay.ledger import Content, Destination, Opening, begin, open_ledger, resolve, upgrading
from replay.ledger.schema import APPLICATION_ID, FORMAT, SPAN_SEAL
from replay.ledger.targets import find_target
from replay.ledger.window import Window, boot_id
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.ledger import Store
    from replay.settings import Postgres

HERE = Path(__file__).parent
DATA = b"a,b\n1,2\n3,4\n"
WORDS = [  # row, outcome, reason of a run that delivered 1 to 5 and left 6 to 9
    (6, "ambiguous", "reset"),
    (7, "exhausted", "settled as undelivered"),
    (8, "rejected", "no"),
    (9, "exhausted", "busy"),
]


class Old:
    """A ledger of format 1 with one run, made by the statements of that format."""

    def __init__(self, place: Path | Postgres, folder: Path, *, open_: bool = False) -> None:
        self.place = place
        self._folder = folder
        if isinstance(place, Path):
            self._write_file(place, open_)
        else:
            self._write_database(place.url, open_)

    @property
    def window(self) -> Path:
        beside = self.place if isinstance(self.place, Path) else self._folder / "postgres-0a0b0c0d"
        return beside.with_name(f"{beside.name}.old.1.00000000.window")

    def _write_file(self, path: Path, open_: bool) -> None:
        database = sqlite3.connect(path)
        database.executescript((HERE / "format_1.sql").read_text())
        for statement, rows in self._rows(open_):
            database.executemany(statement, rows)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute("PRAGMA user_version = 1")
        database.commit()
        database.close()

    def _write_database(self, url: str, open_: bool) -> None:
        import psycopg  # noqa: PLC0415 - of an extra

        with psycopg.connect(url, options="-c search_path=hackle_replay") as database:
            database.execute("CREATE SCHEMA hackle_replay")
            database.execute((HERE / "format_1_postgres.sql").read_text())  # type: ignore[arg-type]
            database.execute("INSERT INTO form VALUES (1, '0a0b0c0d')")
            database.execute("INSERT INTO leases VALUES (1, now() - interval '1 minute')")
            for statement, rows in self._rows(open_):
                database.cursor().executemany(statement.replace("?", "%s"), list(rows))  # type: ignore[arg-type]

    def _rows(self, open_: bool) -> Iterator[tuple[str, Iterable[tuple[Any, ...]]]]:
        content = content_of(DATA)
        yield "INSERT INTO salt VALUES (?)", [(bytes(16),)]
        yield "INSERT INTO targets (url, environment, is_private) VALUES (?, 1, ?)", [(URL, False)]
        yield "INSERT INTO contents (uid) VALUES (?)", [(content.uid,)]
        yield (
            "INSERT INTO versions VALUES (?, ?, 1, ?, ?, ?)",
            [(content.length, content.digest, True, content.reach, content.head)],
        )
        yield "INSERT INTO copies (target, content) VALUES (1, ?)", [(1,)]
        yield (
            'INSERT INTO runs (name, started, command, target, again, is_open, leg, "window", boot)'
            " VALUES ('old', 't', 'send', 1, ?, ?, 1, ?, ?)",
            [(False, open_, "old.1.00000000.window", boot_id())],
        )
        yield "INSERT INTO run_copies VALUES (1, 1, ?)", [("a digest of before",)]
        seal = eval(SPAN_SEAL, {"copy": 1, "run": 1, "first": 1, "last": 5})
        yield "INSERT INTO spans VALUES (1, 1, 1, 5, ?)", [(seal,)]
        reasons = {reason: number for number, (_, _, reason) in enumerate(WORDS, 1)}
        yield (
            "INSERT INTO reasons (text) VALUES (?)",
            [(reason,) for reason in reasons],
        )
        yield (
            "INSERT INTO words VALUES (1, ?, 1, 1, ?, NULL, 1, ?)",
            [(row, outcome, reasons[reason]) for row, outcome, reason in WORDS],
        )


@pytest.fixture
def old(ledger: Path | Postgres, tmp_path: Path) -> Old:
    return Old(ledger, tmp_path)


def doubted(store: Store) -> list[int]:
    return [row for (row,) in store.ask("SELECT row FROM words WHERE doubted ORDER BY row")]


def formats(store: Store) -> list[int]:
    return [
        store.one("SELECT format FROM contents WHERE id = 1"),
        store.one("SELECT format FROM run_copies WHERE run = 1"),
    ]


def opening(store: Store, name: str, content: Content) -> Opening:
    destination = Destination(URL, "key", same_target=True)
    return Opening(name, "send", "t", destination, [(content, resolve(store, content))], mapping="m")


def format_of(place: Path | Postgres) -> int:
    if isinstance(place, Path):
        database = sqlite3.connect(place)
        (found,) = database.execute("PRAGMA user_version").fetchone()
        database.close()
        return int(found)
    import psycopg  # noqa: PLC0415 - of an extra

    with psycopg.connect(place.url) as connection:
        return int(connection.execute("SELECT format FROM hackle_replay.form").fetchone()[0])  # type: ignore[index]


def test_a_ledger_of_format_1_keeps_what_it_knew(old: Old, tmp_path: Path) -> None:
    with open_ledger(old.place, tmp_path) as store:
        assert said_of(store, 1, range(1, 11)) == {
            **dict.fromkeys(range(1, 6), Outcome.DELIVERED),
            6: Outcome.AMBIGUOUS,
            7: Outcome.EXHAUSTED,
            8: Outcome.REJECTED,
            9: Outcome.EXHAUSTED,
        }
        assert store.one("SELECT mapping FROM run_copies") == "a digest of before"
        store.verify()
    assert format_of(old.place) == FORMAT


def test_rows_that_were_ever_ambiguous_are_marked(old: Old, tmp_path: Path) -> None:
    with open_ledger(old.place, tmp_path) as store:
        assert doubted(store) == [6, 7]


def test_what_format_1_recorded_is_marked_and_what_comes_after_is_not(old: Old, tmp_path: Path) -> None:
    with open_ledger(old.place, tmp_path) as store:
        assert formats(store) == [1, 1]
        begin(store, opening(store, "new", content_of(b"x,y\n5,6\n", store))).close()
        assert store.ask("SELECT format FROM contents ORDER BY id") == [(1,), (FORMAT,)]
        assert store.one("SELECT format FROM run_copies WHERE run = 2") == FORMAT


def test_a_ledger_gets_one_name_for_good(old: Old, tmp_path: Path) -> None:
    names = set()
    for _ in range(2):
        with open_ledger(old.place, tmp_path) as store:
            names.add(store.one("SELECT name FROM form"))
    assert len(names) == 1
    assert all(names)


def test_an_upgraded_ledger_takes_new_runs(old: Old, tmp_path: Path) -> None:
    with open_ledger(old.place, tmp_path) as store:
        book = begin(store, opening(store, "new", content_of(DATA, store)))
        slots = book.announce([(1, 7), (1, 8), (1, 9)])
        for slot, row, result in zip(slots, (7, 8, 9), (DELIVERED, AMBIGUOUS, REJECTED), strict=True):
            book.start(slot)
            book.end(slot, 1, row, result)
        book.close()
        assert store.ask("SELECT row FROM words WHERE run = 2 AND doubted") == [(8,)]


def test_what_only_reads_leaves_format_1_and_sees_the_same(old: Old, tmp_path: Path) -> None:
    with open_ledger(old.place, tmp_path, reading=True) as store:
        assert said_of(store, 1, range(1, 11))[6] is Outcome.AMBIGUOUS
        assert doubted(store) == [6, 7]
        assert formats(store) == [1, 1]
        assert find_target(store, Destination(URL)) == 1
        with pytest.raises(StorageError):
            store.tell("INSERT INTO words VALUES (1, 10, 1, 1, 'rejected', NULL, 1, 1, FALSE)")
    assert format_of(old.place) == 1


def test_a_ledger_is_not_changed_while_a_run_of_an_older_version_is_live(
    ledger: Path | Postgres, tmp_path: Path
) -> None:
    old = Old(ledger, tmp_path, open_=True)
    window = Window(old.window)
    with pytest.raises(BusyError, match="run old of an older hackle-replay is at work"):
        open_ledger(ledger, tmp_path)
    assert format_of(ledger) == 1
    window.close(remove=False)
    with open_ledger(ledger, tmp_path) as store:
        assert formats(store) == [1, 1]


def test_an_older_version_that_has_the_ledger_open_cannot_begin_a_run_afterwards(
    old: Old, tmp_path: Path
) -> None:
    with open_ledger(old.place, tmp_path) as store, pytest.raises(StorageError):
        # as format 1 wrote it, in the transaction that begins or reopens a run
        store.tell_many("INSERT INTO run_copies VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [(1, 2, "m")])


def test_a_damaged_ledger_of_format_1_is_refused_and_not_changed(tmp_path: Path) -> None:
    old = Old(tmp_path / "ledger.sqlite", tmp_path)
    database = sqlite3.connect(tmp_path / "ledger.sqlite")
    database.execute("ALTER TABLE words ADD COLUMN more")
    database.close()
    with pytest.raises(StorageError, match="tables are not those of format 1"):
        open_ledger(tmp_path / "ledger.sqlite")
    assert format_of(old.place) == 1


KILLED = """
import os, sys
from pathlib import Path
from replay.ledger import open_ledger, upgrading
from replay.settings import parse_ledger
place, folder, left = parse_ledger(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

class Killing:
    def __init__(self, store):
        self.store, self.done = store, 0

    def __getattr__(self, name):
        return getattr(self.store, name)

    def tell(self, statement, *values):
        self.store.tell(statement, *values)
        self.done += 1
        if self.done == left:
            os.kill(os.getpid(), 9)

for name in ("upgrade_file", "upgrade_database"):
    upgrade = getattr(upgrading, name)
    setattr(upgrading, name, lambda store, upgrade=upgrade: upgrade(Killing(store)))
open_ledger(place, folder).close()
"""


@pytest.mark.parametrize("statements", [1, 4, 7, 15])
def test_an_upgrade_that_is_killed_changed_nothing_and_is_done_by_the_next(
    old: Old, tmp_path: Path, statements: int
) -> None:
    place = str(old.place) if isinstance(old.place, Path) else old.place.url
    done = subprocess.run(
        [sys.executable, "-c", KILLED, place, str(tmp_path), str(statements)], check=False, env=os.environ
    )
    assert done.returncode == (-9 if isinstance(old.place, Path) or statements < 9 else 0)
    if done.returncode:
        assert format_of(old.place) == 1
    with open_ledger(old.place, tmp_path) as store:
        assert [
            row for row, said in said_of(store, 1, range(1, 11)).items() if said is Outcome.DELIVERED
        ] == [*range(1, 6)]
        assert doubted(store) == [6, 7]
        assert formats(store) == [1, 1]


OPENED = """
import sys
from pathlib import Path
from replay.ledger import open_ledger
from replay.settings import parse_ledger
print("ready", flush=True)
sys.stdin.readline()
with open_ledger(parse_ledger(sys.argv[1]), Path(sys.argv[2])) as store:
    print(store.one("SELECT name FROM form"), store.one("SELECT count(*) FROM words"))
"""


def test_of_two_that_open_it_at_once_one_upgrades_it(old: Old, tmp_path: Path) -> None:
    place = str(old.place) if isinstance(old.place, Path) else old.place.url
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", OPENED, place, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for one in racing:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in racing:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    said = {one.communicate()[0] for one in racing}
    assert len(said) == 1
    assert said.pop().split()[1] == "4"
    assert windows(tmp_path / "any") == []


def test_the_statements_of_format_1_are_known_exactly() -> None:
    kept = (HERE / "format_1.sql").read_text().split(";\n")
    assert upgrading.old_statements() == {text.strip() for text in kept if text.strip()}
