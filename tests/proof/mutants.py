"""Products that break a promise, to show that the judge would notice.

As a program: `python -m proof.mutants NAME send …` is `replay send …` with one promise broken.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from replay import hackle
from replay.__main__ import main
from replay.ledger import batches
from replay.ledger.window import State, Window
from replay.pipeline.recorder import Recorder
from replay.records import Outcome
from replay.report import FailedFile
from replay.sender import settling
from replay.sink import answer, judge
from replay.sink.exchange import Exchange, Post
from replay.sink.http import HttpSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from replay.records import Chunk, Event
    from replay.report import Notes
    from replay.sink import Turn
    from replay.sink.deadlines import Deadlines


def change(owner: Any, name: str, other: Any) -> None:
    """Put something else in a place of the product."""
    setattr(owner, name, other)


def intent_after_send() -> None:
    """That a request leaves is written down once its answer is here."""
    start, end = Recorder.on_start, Recorder.on_answer

    def late(recorder: Recorder, event: Event, *told: Any) -> None:
        start(recorder, event)
        end(recorder, event, *told)

    change(Recorder, "on_start", lambda recorder, event: None)
    change(Recorder, "on_answer", late)


def everything_retried() -> None:
    """A row whose answer was lost is sent again, whatever the user said."""

    def careless(answer: Any, tries: Any, retries: int, _: str, random: Any) -> Any:
        return judge(answer, tries, retries, "resend", random)

    change(settling, "judge", careless)


def retry_after_ignored() -> None:
    """Nobody waits as long as the destination asks."""
    parse = answer.parse_retry_after

    def at_once(*said: Any) -> float | None:
        return None if parse(*said) is None else 0.0

    change(answer, "parse_retry_after", at_once)


def redirects_followed() -> None:
    """A redirect is followed, with the key, to wherever it points."""
    run = Exchange.run

    async def following(exchange: Exchange, post: Post, body: bytes, limits: Deadlines) -> None:
        await run(exchange, post, body, limits)
        if exchange.headers is not None and "Location" in exchange.headers:
            exchange.status = 0
            async with aiohttp.ClientSession() as session:
                address, key = exchange.headers["Location"], post._request.headers[hackle.KEY_HEADER]
                async with session.post(address, data=body, headers={hackle.KEY_HEADER: key}) as answer:
                    exchange.status = answer.status

    change(Exchange, "run", following)


def window_not_written() -> None:
    """A row that was started cannot be told from one that was only announced."""
    mark = Window.mark

    def blind(window: Window, slot: int, state: int) -> None:
        if state != State.STARTED:
            mark(window, slot, state)

    change(Window, "mark", blind)


def not_announced() -> None:
    """A row leaves without standing in the database."""
    change(batches, "announce", lambda store, run, lent: None)


def refusals_untold() -> None:
    """A row that was refused is missing in the failed file."""
    finish = FailedFile.finish

    def forgetful(file: FailedFile, rows: Iterable[tuple[Chunk, Notes]]) -> Path | None:
        return finish(file, ((chunk, _without_refusals(notes)) for chunk, notes in rows))

    change(FailedFile, "finish", forgetful)


def _without_refusals(notes: Notes) -> Notes:
    return {place: note for place, note in notes.items() if note.result.outcome is not Outcome.REJECTED}


def repeated_by_the_client() -> None:
    """Each attempt is made twice, as a client does that repeats a request by itself."""
    attempt = HttpSink.attempt

    async def twice(
        sink: HttpSink,
        body: bytes,
        on_start: Callable[[], None] | None = None,
        turn: Turn | None = None,
    ) -> Any:
        first = await attempt(sink, body, on_start, turn)
        return first if first.status is not None else await attempt(sink, body)

    change(HttpSink, "attempt", twice)


MUTANTS: Final = {
    mutant.__name__: mutant
    for mutant in (
        intent_after_send,
        everything_retried,
        retry_after_ignored,
        redirects_followed,
        window_not_written,
        not_announced,
        refusals_untold,
        repeated_by_the_client,
    )
}

if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)]()
    main()
