"""The second pass: judged rows become events, a batch at a time, made in a thread ahead of the sender."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.errors import SourceError
from replay.mapping import bodies, lanes
from replay.pipeline.plan import stamp_of
from replay.pipeline.stages import Judged, Judging
from replay.records import Event
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from replay.pipeline.plan import Plan, SourcePlan
    from replay.source import Reader


@dataclass(frozen=True, slots=True)
class Batch:
    """What one chunk gives: its judged rows, and an event for each valid one."""

    source: int
    judged: Judged
    events: list[Event]


def batches(plan: Plan, limit: int | None) -> Generator[Batch, None, None]:
    """Read the planned sources again and make events of their first `limit` valid rows.

    Raises SourceError where a source is not what was planned.
    """
    judge = Judge(plan.job.severities())
    sendable = plan.valid if limit is None else limit
    for index, source_plan in enumerate(plan.sources):
        _check_stamp(source_plan)
        with open_source(source_plan.source, plan.job.read_settings(index)) as reader:
            for judged in Judging(plan.job, judge, reader):
                within = judged if limit is None else judged.upto(sendable)
                events = events_of(index, within)
                sendable -= len(events)
                yield Batch(index, within, events)
                if limit is not None and sendable <= 0:
                    return
            _check_content(source_plan, reader)


def events_of(source: int, judged: Judged) -> list[Event]:
    """An event for each valid row of a chunk."""
    chunk = judged.chunk
    valid = ~judged.invalid
    users = lanes(judged.mapped)
    return [
        Event(source, row, body, users[place], chunk, place)
        for place, (row, body) in enumerate(
            zip(chunk.rows.tolist(), bodies(judged.mapped, valid), strict=True)
        )
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
