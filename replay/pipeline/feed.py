"""The second pass: judged rows become events, a batch at a time, made in a thread ahead of the sender."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Final

import numpy as np

from replay.errors import SourceError
from replay.mapping import bodies, lanes
from replay.pipeline.choosing import Chosen, Fate, Known
from replay.pipeline.plan import stamp_of
from replay.pipeline.stages import Judging
from replay.pipeline.tally import EVENT_KEY
from replay.records import Event
from replay.rules import Judge
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator
    from collections.abc import Mapping as Dict

    from numpy.typing import NDArray

    from replay.pipeline.naming import Names
    from replay.pipeline.plan import Plan, SourcePlan
    from replay.records import Mapped
    from replay.source import Reader

EVENTS_AT_ONCE: Final = 4_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What a chunk gives: first its rows with their fates, then events for those that are sent."""

    source: int
    chosen: Chosen | None
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
                yield Batch(index, chosen, [])
                for events in events_of(index, chosen, copies):
                    yield Batch(index, None, events)
                if chooser.is_full:
                    return
            _check_content(planned, reader)
        chooser.cover(planned.uid, planned.rows)


def events_of(source: int, chosen: Chosen, copies: Dict[str, int]) -> Iterator[list[Event]]:
    """The rows of a chunk that are to be sent, some at a time: the bodies of a chunk are much at once."""
    is_sent = chosen.fates == Fate.SEND
    for start in range(0, len(is_sent), EVENTS_AT_ONCE):
        wanted = is_sent[start : start + EVENTS_AT_ONCE]
        if wanted.any():
            yield _events(source, chosen, copies, start, wanted)


def _events(
    source: int, chosen: Chosen, copies: Dict[str, int], start: int, wanted: NDArray[np.bool_]
) -> list[Event]:
    """Events of the rows that a mask wants, of those from one place on."""
    chunk, names = chosen.judged.chunk, chosen.names
    mapped = chosen.judged.mapped.part(start, start + len(wanted))
    places = (np.flatnonzero(wanted) + start).tolist()
    doubtful = chosen.doubtful
    facts = zip(
        chunk.rows[places].tolist(),
        (body for body in bodies(mapped, wanted) if body is not None),
        compress(lanes(mapped), wanted.tolist()),
        places,
        _copies(names, copies, places),
        names.rows[places].tolist(),
        compress(_event_keys(mapped), wanted.tolist()),
        strict=True,
    )
    return [
        Event(
            source,
            row,
            body,
            users,
            chunk,
            place,
            copy=copy,
            number=number,
            is_doubtful=place in doubtful,
            key=key,
        )
        for row, body, users, place, copy, number, key in facts
    ]


def _copies(names: Names, copies: Dict[str, int], places: list[int]) -> list[int]:
    """The ledger's copy of the content that each of these rows came from."""
    if names.notes is None:
        return [copies[names.uids[0]]] * len(places)
    return [copies[names.uids[place]] for place in places]


def _event_keys(mapped: Mapped) -> list[str]:
    """The event key of each row, "" where there is none."""
    column = mapped.columns.get(EVENT_KEY)
    if column is None:
        return [""] * mapped.size
    values: list[str] = column.tolist()
    if len(values) == mapped.size:
        return values
    keys = [""] * mapped.size
    for place, key in zip(column.index.tolist(), values, strict=True):
        keys[place] = key
    return keys


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
        # Cancelled, it is this wait that ends: the thread goes on, and is waited for below.
        while (item := await asyncio.shield(coming)) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(next, items, None))
            yield item
    finally:
        try:
            await _let_go(coming)
        finally:
            items.close()


async def _let_go(coming: asyncio.Future[Batch | None]) -> None:
    """Wait until the thread is done with what nobody wants any more, however often one is cancelled."""
    cancelled: asyncio.CancelledError | None = None
    while not coming.done():
        try:
            await asyncio.wait([coming])
        except asyncio.CancelledError as error:
            cancelled = error
    if not coming.cancelled():
        coming.exception()  # nobody else asks for it
    if cancelled is not None:
        raise cancelled
