"""The exact requests of the first rows, as JSON bodies or as curl commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay import hackle
from replay.pipeline.feed import events_of
from replay.pipeline.stages import Judging
from replay.rules import Judge
from replay.settings import show_url
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.pipeline.stages import Job, Judged


@dataclass(frozen=True, slots=True)
class Preview:
    """The bodies of the first valid rows, and how many rows before the last of them are not sent."""

    bodies: list[bytes]
    passed_over: int


def preview(job: Job, rows: int) -> Preview:
    """Read no more of the sources than the first `rows` valid rows need."""
    bodies: list[bytes] = []
    passed_over = 0
    for judged in _chunks(job):
        within = judged.upto(rows - len(bodies))
        events = events_of(0, within)
        bodies += [event.body for event in events]
        passed_over += len(within) - len(events)
        if len(bodies) == rows:
            break
    return Preview(bodies, passed_over)


def _chunks(job: Job) -> Iterator[Judged]:
    judge = Judge(job.severities())
    for index, source in enumerate(job.sources):
        with open_source(source, job.read_settings(index)) as reader:
            yield from Judging(job, judge, reader)


def curl(body: bytes, url: str) -> str:
    """The shell command that sends the same bytes, with the key from the environment."""
    return (
        f"curl -sS {shlex.quote(show_url(url))} -H 'Content-Type: {hackle.CONTENT_TYPE}'"
        f' -H "{hackle.KEY_HEADER}: ${hackle.KEY_VARIABLE}" --data-binary {shlex.quote(body.decode())}'
    )
