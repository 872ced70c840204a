"""Shares of a live run, in a ledger that machines share: who sends them, and what became of their rows.

Whoever keeps the run deals its rows into shares; a worker claims one, announces and ends its rows, and
writes nothing but the share's own row and news of ends. The keeper alone writes spans and words, from these.

Invariants:
 1. A share is claimed by compare-and-set of its epoch, before anything of it is sent. Epochs only grow,
    over all legs of a run: a task that is run twice, or late, claims nothing.
 2. A request leaves only after its row stands among the open intents of a committed share; there are
    never more of them than the worker may have requests in flight.
 3. An intent goes in the transaction that writes how its row ended (as news), or that it waits: that it
    was not accepted, for sure.
 4. Each write of a worker is one statement that holds only where its epoch, and the number of its last
    commit, stand as it left them, and renews its lease. So a worker that was paused and taken for dead
    writes nothing more, and a write whose answer was lost can be made again.
 5. A share is taken back only when its lease has been over for as long as a request may take, or by whoever
    ends the run: in that transaction its epoch grows, and open intents become ambiguous.
 6. News are written into spans and words before they go, in the order in which a share told them; to do so
    twice changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from math import inf
from struct import Struct, pack
from typing import TYPE_CHECKING, Final

import msgspec

from replay.errors import BusyError, StorageError
from replay.ledger import entries
from replay.ledger.batches import KILLED
from replay.records import Answers, Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from replay.ledger.base import Store
    from replay.ledger.batches import Place
    from replay.ledger.entries import Ended
    from replay.ledger.postgres import PostgresStore

EPOCHS_A_LEG: Final = 1 << 20
PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.5
_PLACE: Final = Struct("<qq")


class End(msgspec.Struct, array_like=True):
    """How a row ended: its place in the ledger, and in the run's sources."""

    copy: int
    number: int
    source: int
    row: int
    outcome: Outcome
    status: int | None
    attempts: int
    reason: str
    group: str = ""
    reports_failure: bool = False

    @property
    def result(self) -> Result:
        """How it ended."""
        said = self.outcome, self.status, self.attempts, self.reason, self.group
        return Result(*said, self.reports_failure)


class Standing(msgspec.Struct, array_like=True):
    """How a worker stands: what it made of its share, what came back, why it waits or stopped."""

    requests: int = 0
    retries: int = 0
    duplicates: int = 0
    in_flight: int = 0
    rate: float | None = None
    waiting_for: str | None = None
    stopped_by: str | None = None
    stop_reason: str | None = None
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """A share as it stands; `is_overdue`: its lease has been over for as long as a request may take."""

    number: int
    epoch: int
    worker: str | None
    has_ended: bool
    is_overdue: bool
    standing: Standing


_standing: Final = msgspec.msgpack.Decoder(Standing)
_ends: Final = msgspec.msgpack.Decoder(list[End])


def deal(store: Store, run: int, shares: int, timeout: float) -> int:
    """Make the shares of a new leg; returns the epoch from which they may be claimed.

    `timeout`: seconds that a request may take.
    """
    with store.transaction(alone=False):
        epoch = int(store.one("SELECT leg FROM runs WHERE id = ?", run)) * EPOCHS_A_LEG
        store.tell("DELETE FROM shares WHERE run = ?", run)
        store.tell_many(
            "INSERT INTO shares VALUES (?, ?, ?, NULL, clock_timestamp(), ?, FALSE, 0, ?, ?)",
            [
                (run, share, epoch, timeout, b"", msgspec.msgpack.encode(Standing()))
                for share in range(shares)
            ],
        )
    return epoch


def standings(store: Store, run: int) -> list[Share]:
    """How the shares of a run stand."""
    found = store.ask(
        "SELECT share, epoch, worker, ended,"
        " until + grace * interval '1 second' < clock_timestamp(), told FROM shares"
        " WHERE run = ? ORDER BY share",
        run,
    )
    return [
        Share(share, epoch, worker, ended, overdue, _standing.decode(told))
        for share, epoch, worker, ended, overdue, told in found
    ]


def news(store: Store, run: int) -> list[tuple[int, list[End]]]:
    """What the workers have told since it was last dropped, the oldest first, by id."""
    found = store.ask("SELECT id, ends FROM news WHERE run = ? ORDER BY id", run)
    return [(number, _ends.decode(told)) for number, told in found]


def drop_news(store: Store, numbers: Iterable[int]) -> None:
    """Forget news that are written into spans and words."""
    store.tell("DELETE FROM news WHERE id = ANY(?)", list(numbers))


def take_back(store: Store, run: int, share: int, epoch: int, *, ends: bool = False) -> list[Ended] | None:
    """Take a share from a worker that is dead, or stopped; returns how rows ended, as far as it is news.

    With `ends` nobody claims it any more. None where it is not as it was when it was looked at.
    """
    with store.transaction(alone=False):
        if not store.change(
            "UPDATE shares SET epoch = epoch + 1, worker = NULL, ended = ?, commits = 0,"
            " told = ?, until = clock_timestamp() WHERE run = ? AND share = ? AND epoch = ?",
            ends,
            msgspec.msgpack.encode(Standing()),
            run,
            share,
            epoch,
        ):
            return None
        ended = _close(store, run, share)
        entries.write(store, run, ended)
    return ended


def end_all(store: Store, run: int) -> list[Ended]:
    """Take back all shares of a run whose leg ends; returns how rows ended. Within a transaction."""
    shares = store.ask(
        "UPDATE shares SET epoch = epoch + 1, worker = NULL, ended = TRUE WHERE run = ? RETURNING share", run
    )
    return [end for (share,) in sorted(shares) for end in _close(store, run, share)]


def _close(store: Store, run: int, share: int) -> list[Ended]:
    """What is left to write of a share that is nobody's any more: its news, then its open intents."""
    told = store.ask("DELETE FROM news WHERE run = ? AND share = ? RETURNING id, ends", run, share)
    ended = [(end.copy, end.number, end.result) for _, ends in sorted(told) for end in _ends.decode(ends)]
    open_ = store.one("SELECT intents FROM shares WHERE run = ? AND share = ?", run, share)
    store.tell("UPDATE shares SET intents = ? WHERE run = ? AND share = ?", b"", run, share)
    doubt = Result(Outcome.AMBIGUOUS, None, 1, KILLED)
    return ended + [(copy, row, doubt) for copy, row in _PLACE.iter_unpack(open_)]


class Claim:
    """A worker's hold on a share, from `claim` to its last `write`; its calls belong into one thread.

    `sleep` waits between two tries to reach the ledger again. After PATIENCE_SECONDS it is given up.
    """

    def __init__(
        self,
        store: PostgresStore,
        run: int,
        share: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._run = run
        self._share = share
        self._epoch = 0
        self._commits = 0
        self.held_until = 0.0

    def claim(self, epoch: int, worker: str) -> bool:
        """Take the share, if it may still be claimed from this epoch."""
        began = time.monotonic()
        taken = self._store.change(
            "UPDATE shares SET epoch = epoch + 1, worker = ?, commits = 0,"
            " until = clock_timestamp() + ? * interval '1 second'"
            " WHERE run = ? AND share = ? AND epoch = ? AND worker IS NULL AND NOT ended"
            " AND EXISTS (SELECT 1 FROM runs WHERE id = run AND is_open)",
            worker,
            self._store.lease_seconds,
            self._run,
            self._share,
            epoch,
        )
        self._epoch = epoch + 1
        self.held_until = began + self._store.lease_seconds
        return taken == 1

    def write(
        self, intents: Sequence[Place], ends: Sequence[End], standing: Standing, *, last: bool = False
    ) -> None:
        """Write durably which requests may be under way from now on, and how rows ended meanwhile.

        Raises BusyError where the share is another's by now, StorageError where the ledger stays away.
        """
        tried = began = time.monotonic()
        self._commits += 1
        while True:
            try:
                self._write(intents, ends, standing, last=last)
                break
            except StorageError:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise
            self._reconnect(began)
            tried = time.monotonic()
        self.held_until = -inf if last else tried + self._store.lease_seconds

    def _write(
        self, intents: Sequence[Place], ends: Sequence[End], standing: Standing, *, last: bool
    ) -> None:
        done = self._store.one(
            _WRITE,
            self._commits,
            pack(f"<{2 * len(intents)}q", *chain.from_iterable(intents)),
            msgspec.msgpack.encode(standing),
            last,
            self._store.lease_seconds,
            *self._mine(),
            self._commits - 1,
            msgspec.msgpack.encode(ends),
            bool(ends),
        )
        if not done and not self._is_written():
            raise BusyError(
                "This worker was taken for dead, and its rows are another's by now: it was paused, or cut "
                "off from the ledger, for longer than its lease. It sends nothing more."
            )

    def _is_written(self) -> bool:
        """Whether the answer to a write was lost, and not the write."""
        found = self._store.one(_WRITTEN, *self._mine(), self._commits)
        return bool(found)

    def _mine(self) -> tuple[int, int, int]:
        return self._run, self._share, self._epoch

    def _reconnect(self, began: float) -> None:
        while True:
            try:
                self._store.reconnect()
                return
            except StorageError:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise
                self._sleep(_PAUSE_SECONDS)


_WRITE: Final = """
WITH mine AS (
  UPDATE shares SET commits = ?, intents = ?, told = ?, ended = ?,
    until = clock_timestamp() + ? * interval '1 second'
  WHERE run = ? AND share = ? AND epoch = ? AND commits = ? AND worker IS NOT NULL AND NOT ended
  RETURNING run, share
), told AS (INSERT INTO news (run, share, ends) SELECT run, share, ? FROM mine WHERE ?)
SELECT count(*) FROM mine
"""
_WRITTEN: Final = "SELECT 1 FROM shares WHERE run = ? AND share = ? AND epoch = ? AND commits = ?"
