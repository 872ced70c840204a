"""A live run's own pages: what it announces, starts and ends, and how it is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from replay.errors import BusyError
from replay.ledger import batches, entries, recovery
from replay.ledger.ends import NO_SLOT, Ends, Taken
from replay.ledger.window import PAGE_ROWS, STATES, State
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from replay.ledger.base import Store
    from replay.ledger.batches import Place
    from replay.ledger.window import Window

_STARTED: Final = int(State.STARTED)
_ANNOUNCED: Final = int(State.ANNOUNCED)


class Book:
    """The entries of one live run.

    `announce`, `write` and `close` talk to the disk and belong into a thread, one at a time;
    `start`, `wait`, `end` and `count` only touch memory, and are called from the event loop in between.
    `copies`: of each content, by its name. `run` is its id in the ledger.
    """

    def __init__(self, store: Store, run: int, copies: dict[str, int], window: Window) -> None:
        self._store = store
        self._window = window
        self.run = run
        self.copies = copies
        ((self.again, self._leg, *counted),) = store.ask(
            "SELECT again, leg, requests, retries, duplicates FROM runs WHERE id = ?", run
        )
        self.again = bool(self.again)
        self._before = self._tallies = tuple(counted)
        self._is_shared = False
        self._commits = 0
        self._ends = Ends()
        self._lent: dict[int, Sequence[Place]] = {}
        self._unwritten: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close(remove=False)

    def announce(self, rows: Sequence[Place]) -> list[int]:
        """Write that these (copy, row) are about to be sent; returns each row's slot.

        When it returns they are durable. Ends wait for `write`, until then their marks tell of them: rows
        that end side by side make one stretch. Raises StorageError, and then none of them may be sent, and
        BusyError where another process took this run for dead and ended it.
        """
        pages = [rows[start : start + PAGE_ROWS] for start in range(0, len(rows), PAGE_ROWS)]
        lent = [(self._window.lend(), page) for page in pages]
        self._commit(lent, Taken([], []))
        return [slot for page, part in lent for slot in range(page * PAGE_ROWS, page * PAGE_ROWS + len(part))]

    def start(self, slot: int) -> None:
        """A request of this row is about to leave."""
        self._store.refuse_unheld()
        self._window.mark(slot, _STARTED)

    def wait(self, slot: int) -> None:
        """The last request of this row was not accepted, for sure, nor was any before it.

        It waits for another try; where the run ends before, the row is pending.
        """
        self._window.mark(slot, _ANNOUNCED)

    def end(self, slot: int, copy: int, row: int, result: Result) -> None:
        """The row ended so; written with the next commit. A slot is ended once.

        NO_SLOT for a row that was never announced. PENDING takes back what was told of a row before;
        its slot may be another row's by now.
        """
        if result.outcome is Outcome.PENDING:
            slot = self._take_back(slot, (copy, row))
        elif slot != NO_SLOT:
            self._window.mark(slot, STATES.get(result.outcome, _ANNOUNCED))
        self._ends.tell(slot, copy, row, result)

    def end_marked(self, slots: Sequence[int], copies: Sequence[int], rows: Sequence[int]) -> None:
        """These rows were delivered; a sender process has marked them."""
        self._ends.tell_delivered(slots, copies, rows)

    def count(self, requests: int, retries: int, duplicates: int) -> None:
        """How many requests this leg has made so far."""
        before = self._before
        self._tallies = (before[0] + requests, before[1] + retries, before[2] + duplicates)
        if not self._is_shared:
            self._window.tally(*self._tallies)

    def share(self) -> int:
        """Let sender processes mark rows, by the descriptor that this returns; `Marks` is their side of it.

        From now on they count their requests in the window themselves.
        """
        self._is_shared = True
        self._window.tally(*self._before)
        return self._window.file

    def tallied(self, part: int) -> tuple[int, int, int]:
        """Requests, retries and duplicates as the sender process of this part, from 1, counted them last."""
        return self._window.tallied(part)

    def marked(self, slot: int) -> Result | None:
        """How a row ended by its mark alone, after the process that had it is gone; None: it is pending."""
        return None if slot == NO_SLOT else batches.result_of(self._window.state(slot))

    def write(self) -> None:
        """Write all ends, and that the run lives."""
        if self._ends or self._store.is_due:
            self._commit([], self._ends.take())

    def close(self) -> None:
        """Write all ends and end the run.

        A row that was announced and not started, or waits, is pending; one that was started and has no
        end is ambiguous, as after a kill.
        """
        ends = self._ends.take()
        with self._store.transaction(alone=False):
            self._enter(ends)
            recovery.end(self._store, self.run, self._leg, self._window.contents())
        self._store.settle_down()
        self._window.close(remove=True)

    def _commit(self, lent: list[tuple[int, Sequence[Place]]], ends: Taken) -> None:
        """One durable transaction: new batches, how rows ended, and batches that are done with."""
        done = [page for page, rows in ends.pages.items() if self._unwritten[page] == rows]
        with self._store.transaction(alone=False):
            self._enter(ends)
            batches.drop(self._store, self.run, done)
            batches.announce(self._store, self.run, lent)
        self._window.count(self._commits)
        self._lent.update(lent)
        self._unwritten.update((page, len(rows)) for page, rows in lent)
        for page, rows_ in ends.pages.items():
            self._unwritten[page] -= rows_
        for page in done:
            del self._unwritten[page], self._lent[page]
            self._window.give_back(page)

    def _take_back(self, slot: int, place: Place) -> int:
        """Let the window forget how a row ended, where it still is the row's; its batch stands as it did."""
        rows = self._lent.get(slot // PAGE_ROWS, ())
        if slot % PAGE_ROWS < len(rows) and rows[slot % PAGE_ROWS] == place:
            self._window.mark(slot, _ANNOUNCED)
        return NO_SLOT

    def _enter(self, ends: Taken) -> None:
        """Write ends and counts, unless this run is no longer ours. Within a transaction."""
        self._commits += 1
        ours = self._store.change(
            "UPDATE runs SET requests = ?, retries = ?, duplicates = ?, commits = ?"
            " WHERE id = ? AND leg = ? AND is_open",
            *self._tallies,
            self._commits,
            self.run,
            self._leg,
        )
        if not ours:
            raise BusyError(
                "Another process took this run for dead and ended it: was a .window file removed? "
                "See that nothing else sends the same rows, then replay resume."
            )
        self._store.hold(self.run)
        entries.write(self._store, self.run, ends.ended, ends.delivered)
