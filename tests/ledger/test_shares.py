"""Workers hold shares of a run by claims: one at a time, fenced, and what they leave is told or in doubt."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Self

import psycopg
import pytest
from ledger.shelf import AMBIGUOUS, DELIVERED, REJECTED, expire, opening, said_of, take_for_dead

from replay.errors import BusyError
from replay.ledger import (
    Claim,
    End,
    Standing,
    begin,
    deal,
    drop_news,
    is_live_run,
    news,
    open_ledger,
    recover_dead,
    reopen,
    standings,
    take_back,
    totals,
)
from replay.ledger.postgres import PostgresStore
from replay.records import Outcome, Result
from replay.settings import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import Server

    from replay.ledger import Book, Store


@pytest.fixture
def store(postgres: Server, tmp_path: Path) -> Iterator[Store]:
    with open_ledger(postgres.place, tmp_path) as opened:
        yield opened


@pytest.fixture
def book(store: Store) -> Iterator[Book]:
    with begin(store, opening(store, "run-1")) as begun:
        yield begun


@pytest.fixture
def own(postgres: Server, tmp_path: Path) -> Iterator[PostgresStore]:
    """A worker's own connection."""
    with open_ledger(postgres.place, tmp_path) as opened:
        assert isinstance(opened, PostgresStore)
        yield opened


def end(row: int, result: Result = DELIVERED) -> End:
    return End(1, row, 0, row, result.outcome, result.status, result.attempts, result.reason)


def places(*rows: int) -> list[tuple[int, int]]:
    return [(1, row) for row in rows]


def fold(store: Store, book: Book) -> None:
    """Write into spans and words what workers told, as a keeper does."""
    told = news(store, book.run)
    for _, ends in told:
        for one in ends:
            book.end(-1, one.copy, one.number, one.result)
    book.write()
    drop_news(store, [number for number, _ in told])


def test_a_share_is_claimed_once_however_often_a_task_is_run(book: Book, own: PostgresStore) -> None:
    epoch = deal(own, book.run, 2, 30.0)
    assert Claim(own, book.run, 0).claim(epoch, "one")
    assert not Claim(own, book.run, 0).claim(epoch, "two")
    assert not Claim(own, book.run, 0).claim(epoch + 1, "two")
    assert Claim(own, book.run, 1).claim(epoch, "two")


def test_of_many_that_claim_at_once_one_has_the_share(book: Book, postgres: Server, tmp_path: Path) -> None:
    stores = [open_ledger(postgres.place, tmp_path) for _ in range(6)]
    epoch, got = deal(stores[0], book.run, 1, 30.0), []
    gate = threading.Barrier(len(stores))

    def claim(store: Store) -> None:
        gate.wait()
        assert isinstance(store, PostgresStore)
        got.append(Claim(store, book.run, 0).claim(epoch, "w"))

    threads = [threading.Thread(target=claim, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert sorted(got) == [False] * 5 + [True]


def test_what_a_worker_tells_is_written_by_the_keeper(store: Store, book: Book, own: PostgresStore) -> None:
    claim = Claim(own, book.run, 0)
    assert claim.claim(deal(own, book.run, 1, 30.0), "w")
    claim.write(places(1, 2, 3), [], Standing())
    claim.write(places(3), [end(1), end(2, REJECTED)], Standing(requests=2))
    fold(store, book)
    claim.write([], [end(3)], Standing(requests=3), last=True)
    fold(store, book)
    assert news(store, book.run) == []
    assert totals(store, book.run).rows == {"delivered": 2, "rejected": 1}
    (share,) = standings(store, book.run)
    assert (share.has_ended, share.standing.requests) == (True, 3)


def test_open_intents_of_a_dead_worker_are_ambiguous_and_the_rest_is_told(
    store: Store, book: Book, own: PostgresStore
) -> None:
    claim = Claim(own, book.run, 0)
    epoch = deal(own, book.run, 1, 30.0)
    assert claim.claim(epoch, "w")
    claim.write(places(1, 2, 3, 4), [], Standing())
    claim.write(places(2, 4, 5), [end(1)], Standing())
    ended = take_back(store, book.run, 0, epoch + 1)
    assert ended is not None
    assert {row: result.outcome for _, row, result in ended} == {
        1: Outcome.DELIVERED,
        **dict.fromkeys((2, 4, 5), Outcome.AMBIGUOUS),
    }
    assert said_of(store, 1, range(1, 7)) == {row: result.outcome for _, row, result in ended}
    assert Claim(own, book.run, 0).claim(epoch + 2, "another")


def test_a_worker_that_was_taken_for_dead_writes_nothing_more(
    store: Store, book: Book, own: PostgresStore
) -> None:
    paused, epoch = Claim(own, book.run, 0), deal(own, book.run, 1, 30.0)
    assert paused.claim(epoch, "paused")
    paused.write(places(1), [], Standing())
    take_back(store, book.run, 0, epoch + 1)
    other = Claim(own, book.run, 0)
    assert other.claim(epoch + 2, "other")
    other.write(places(2), [], Standing())
    for intents, ends in ((places(1, 3), []), ([], [end(1)])):
        with pytest.raises(BusyError, match="taken for dead"):
            paused.write(intents, ends, Standing())
    assert news(store, book.run) == []
    assert said_of(store, 1, range(1, 4)) == {1: Outcome.AMBIGUOUS}


def test_a_share_that_moved_on_is_not_taken_back(store: Store, book: Book, own: PostgresStore) -> None:
    epoch = deal(own, book.run, 1, 30.0)
    assert Claim(own, book.run, 0).claim(epoch, "w")
    assert take_back(store, book.run, 0, epoch) is None


def test_whoever_ends_a_dead_run_tells_what_its_workers_left(
    store: Store, book: Book, own: PostgresStore
) -> None:
    claim = Claim(own, book.run, 0)
    assert claim.claim(deal(own, book.run, 2, 30.0), "w")
    claim.write(places(1, 2), [], Standing())
    claim.write(places(2), [end(1)], Standing())
    take_for_dead(store)
    recover_dead(store)  # before the grace of its shares is over
    assert said_of(store, 1, range(1, 3)) == {}
    book.__exit__(None, None, None)
    store.tell("UPDATE shares SET grace = 0")
    expire(store)
    recover_dead(store)
    assert said_of(store, 1, range(1, 3)) == {1: Outcome.DELIVERED, 2: Outcome.AMBIGUOUS}
    with pytest.raises(BusyError):
        claim.write(places(3), [], Standing())


def test_a_run_whose_workers_hold_shares_lives_though_its_keeper_is_gone(
    store: Store, book: Book, own: PostgresStore
) -> None:
    claim = Claim(own, book.run, 0)
    assert claim.claim(deal(own, book.run, 1, 0.0), "w")
    claim.write([], [], Standing())
    book.__exit__(None, None, None)
    store.tell("UPDATE leases SET until = clock_timestamp()")
    assert is_live_run(store, "run-1")
    with pytest.raises(BusyError):
        reopen(store, opening(store, "run-1"))
    claim.write([], [], Standing(), last=True)
    assert not is_live_run(store, "run-1")


def test_a_task_of_an_earlier_leg_claims_nothing_of_a_later_one(store: Store, own: PostgresStore) -> None:
    epochs = []
    for how in (begin, reopen):
        with how(store, opening(store, "run-1")) as book:
            epochs.append(deal(own, book.run, 1, 30.0))
            if how is reopen:
                assert not Claim(own, book.run, 0).claim(epochs[0], "late")
            book.close()
    assert epochs[1] > epochs[0]
    assert not Claim(own, book.run, 0).claim(epochs[1], "after the end")


def test_a_kept_run_is_taken_for_dead_only_when_its_lease_is_over(
    store: Store, book: Book, postgres: Server, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"  # a machine that has no window of it
    elsewhere.mkdir()
    slot = book.announce(places(1, 2))[0]
    book.start(slot)
    with open_ledger(postgres.place, elsewhere) as other:
        recover_dead(other)
        with pytest.raises(BusyError, match="run-1"):
            begin(other, opening(other, "run-2"))
        expire(store)
        recover_dead(other)
        assert said_of(other, 1, range(1, 3)) == dict.fromkeys((1, 2), Outcome.AMBIGUOUS)
    with pytest.raises(BusyError, match="took this run for dead"):
        book.announce(places(3))


class Lossy:
    """A way to the server, one connection at a time, that is cut when a question has gone through: once."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self.cut_after_next = False
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._door.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                with here, socket.create_connection(("127.0.0.1", self._to)) as there:
                    asking = threading.Thread(target=self._pass_on, args=(here, there))
                    asking.start()
                    self._pass_on(there, here, answers=True)
                    asking.join()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool = False) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if answers and self.cut_after_next:
                    self.cut_after_next = False
                    break  # the answer is lost
                sink.sendall(data)
        for side in (source, sink):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


def test_a_write_whose_answer_was_lost_is_made_once(
    store: Store, book: Book, postgres: Server, tmp_path: Path
) -> None:
    with Lossy(postgres.port) as way, ExitStack() as stack:
        place = Postgres(postgres.url.replace(str(postgres.port), str(way.port)))
        own = stack.enter_context(open_ledger(place, tmp_path))
        assert isinstance(own, PostgresStore)
        claim = Claim(own, book.run, 0, sleep=lambda _: None)
        assert claim.claim(deal(store, book.run, 1, 30.0), "w")
        claim.write(places(1, 2), [], Standing())
        way.cut_after_next = True
        claim.write(places(2), [end(1)], Standing())
        claim.write([], [end(2, AMBIGUOUS)], Standing())
    assert [[one.number for one in ends] for _, ends in news(store, book.run)] == [[1], [2]]
    fold(store, book)
    assert totals(store, book.run).rows == {"delivered": 1, "ambiguous": 1}


def test_a_server_that_was_restarted_is_found_again(
    store: Store, book: Book, own: PostgresStore, postgres: Server
) -> None:
    claim = Claim(own, book.run, 0, sleep=lambda _: None)
    assert claim.claim(deal(own, book.run, 1, 30.0), "w")
    claim.write(places(1), [], Standing())
    postgres.kill()
    postgres.start()
    claim.write([], [end(1)], Standing())
    with psycopg.connect(postgres.url) as database:
        assert database.execute("SELECT count(*) FROM hackle_replay.news").fetchone() == (1,)
