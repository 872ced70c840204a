"""The second pass: judged rows become events, a batch at a time, made in a thread ahead of the sender."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.errors import SourceError
from replay.mapping import bodies, lanes
from replay.pipeline.choosing import Chosen, Fate, Known
from replay.pipeline.plan import stamp_of
from replay.pipeline.stages import Judging
from replay.records import Event
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from collections.abc import Mapping as Dict

    from replay.pipeline.plan import Plan, SourcePlan
    from replay.source import Reader


@dataclass(frozen=True, slots=True)
class Batch:
    """What one chunk gives: its rows with their fates, and an event for each that is sent."""

    source: int
    chosen: Chosen
    events: list[Event]


def batches(plan: Plan, known: Known, copies: Dict[str, int]) -> Generator[Batch, None, None]:
    """Read the planned sources again and make events of the rows that are to be sent.

    `known` asks on behalf of the run, now that it is begun; `copies` are the ledger's, by the name of
    their content. Raises SourceError where a source is not what was planned.
    """
    judge = Judge(plan.job.severities())
    chooser = plan.chooser(known)
    for index, planned in enumerate(plan.sources):
        _check_stamp(planned)
        with open_source(planned.source, plan.job.read_settings(index)) as reader:
            for judged in Judging(plan.job, judge, reader, planned.uid):
                chosen = chooser.choose(judged, planned.uid)
                yield Batch(index, chosen, events_of(index, chosen, copies))
                if chooser.is_full:
                    return
            _check_content(planned, reader)
        chooser.cover(planned.uid, planned.rows)


def events_of(source: int, chosen: Chosen, copies: Dict[str, int]) -> list[Event]:
    """An event for each row of a chunk that is to be sent."""
    chunk, names = chosen.judged.chunk, chosen.names
    made = bodies(chosen.judged.mapped, chosen.fates == Fate.SEND)
    users = lanes(chosen.judged.mapped)
    rows, numbers = chunk.rows.tolist(), names.rows.tolist()
    return [
        Event(
            source,
            rows[place],
            body,
            users[place],
            chunk,
            place,
            copy=copies[names.uids[place]],
            number=numbers[place],
            is_doubtful=place in chosen.doubtful,
        )
        for place, body in enumerate(made)
        if body is not None
    ]


def _check_stamp(planned: SourcePlan) -> None:
    if stamp_of(planned.source) != planned.stamp:
        raise SourceError(_changed(planned))


def _check_content(planned: SourcePlan, reader: Reader) -> None:
    if reader.fingerprint.digest != planned.fingerprint.digest:
        raise SourceError(_changed(planned))


def _changed(planned: SourcePlan) -> str:
    return (
        f"{planned.source.name} changed after it was planned. Rows that were sent stay sent; "
        "start again when nothing writes to the file."
    )


async def ahead(items: Generator[Batch, None, None]) -> AsyncGenerator[Batch, None]:
    """Yield each item while a thread makes the next one; the items are closed with it."""
    coming = asyncio.ensure_future(asyncio.to_thread(next, items, None))
    try:
        while (item := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(next, items, None))
            yield item
    finally:
        # The thread may still be at work on a batch that nobody wants any more.
        await asyncio.gather(coming, return_exceptions=True)
        items.close()
