"""A run, told step by step to a judge who stands outside, and what that judge makes of the ledger.

As a program: `python -m ledger.scenario LEDGER TOLD [MUTANT]` plays it, with a resume half way.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import mutants
from ledger.shelf import AMBIGUOUS, DELIVERED, REJECTED, URL, opening

from replay.ledger import Destination, History, begin, open_ledger, reopen, window
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from replay.ledger import Book, Store
    from replay.records import Result

    Say = Callable[[str, int], None]

ROWS = range(1, 41)
BATCH = 6
IN_FLIGHT = 4


def result_of(row: int) -> Result:
    if row % 7 == 0:
        return REJECTED
    return AMBIGUOUS if row % 11 == 0 else DELIVERED


def tell_to(path: Path) -> Say:
    """Words that stand outside the process as soon as they are said."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda word, row: os.write(file, f"{word} {row}\n".encode()) and None


def play(ledger: Path, say: Say, *, give_up: bool = False) -> None:
    """Begin the run or go on with it, and send all that the ledger does not know to be ended.

    With `give_up` it stops half way, as after a fault: nothing is closed.
    """
    with open_ledger(ledger) as store:
        known = store.one("SELECT id FROM runs WHERE name = 'run'")
        opened = opening(store, "run", destination=Destination(URL))
        with (reopen if known else begin)(store, opened) as book:
            (copy,) = book.copies.values()
            ended = ended_rows(store, copy, book.run)
            rows = [row for row in ROWS if row not in ended]
            send(book, copy, rows[: len(rows) // 2] if give_up else rows, say)
            if give_up:
                return
            book.close()
            say("closed", 0)


def send(book: Book, copy: int, rows: list[int], say: Say) -> None:
    """Announce in batches, keep some in flight, and hear the answers a little out of order."""
    flying: list[tuple[int, int]] = []
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        for row in batch:
            say("announcing", row)
        for slot, row in zip(book.announce([(copy, row) for row in batch]), batch, strict=True):
            leave(book, slot, row, say)
            flying.append((slot, row))
            if len(flying) > IN_FLIGHT:
                answer(book, copy, *flying.pop(1 + row % 2), say)
        if start % (2 * BATCH):
            book.write()
    while len(flying) > 1:  # the first one never gets an answer
        answer(book, copy, *flying.pop(), say)


def leave(book: Book, slot: int, row: int, say: Say) -> None:
    if row % 5 == 0:  # its first request finds nobody
        say("starting", row)
        book.start(slot)
        say("sent", row)
        say("refused", row)
        book.wait(slot)
    say("starting", row)
    book.start(slot)
    say("sent", row)


def answer(book: Book, copy: int, slot: int, row: int, say: Say) -> None:
    say(f"answered-{result_of(row).outcome}", row)
    book.end(slot, copy, row, result_of(row))
    say("ended", row)


def ended_rows(store: Store, copy: int, run: int) -> dict[int, Outcome]:
    """What a resume finds, and does not send again."""
    past = History(store, copy, run).past(ROWS.start, ROWS.stop)
    delivered = {row for first, last in past.own_delivered for row in range(first, last + 1)}
    assert not delivered & past.own.keys(), "a row stands in a span and in a word"
    return past.own | dict.fromkeys(delivered, Outcome.DELIVERED)


def faults(told: Iterable[str], ledger: dict[int, Outcome], *, power_lost: bool = False) -> Iterator[str]:
    """What the ledger says of rows that is not so, by what was told: nothing, where all is well."""
    lines: dict[int, list[str]] = {row: [] for row in ROWS}
    for line in told:
        word, row = line.split()
        lines.setdefault(int(row), []).append(word)
    for row in ROWS:
        words, said = lines[row], ledger.get(row)
        may_have = words.count("sent") - words.count("refused")
        answers = {Outcome(word.removeprefix("answered-")) for word in words if word.startswith("answered-")}
        if may_have > 1:
            yield f"row {row} was sent twice: {words}"
        if said is None and may_have:
            yield f"row {row} may have arrived and is pending: {words}"
        if said not in {None, Outcome.AMBIGUOUS, *answers}:
            yield f"row {row} is {said}, and nobody said so: {words}"
        if said is Outcome.AMBIGUOUS and ("announcing" if power_lost else "starting") not in words:
            yield f"row {row} is ambiguous, and never left: {words}"
        if said is Outcome.AMBIGUOUS and "ended" in words and answers != {said} and not power_lost:
            yield f"row {row} is ambiguous, and its answer was written down: {words}"


def missing(ledger: dict[int, Outcome]) -> Iterator[str]:
    """Rows that a finished run says nothing of, but for those it gave up on before they left."""
    yield from (f"row {row} is lost" for row in ROWS if row not in ledger)


def read_back(ledger: Path) -> dict[int, Outcome]:
    """What the ledger says of the scenario's rows."""
    with open_ledger(ledger) as store:
        run = store.one("SELECT id FROM runs WHERE name = 'run'")
        return ended_rows(store, 1, run) if run else {}


if __name__ == "__main__":
    window.GROW_PAGES = 2  # type: ignore[misc]
    mutants.become(sys.argv[3] if len(sys.argv) > 3 else "")
    play(Path(sys.argv[1]), tell_to(Path(sys.argv[2])), give_up=True)
    play(Path(sys.argv[1]), tell_to(Path(sys.argv[2])))
