"""The exact requests of the first rows, as JSON bodies or as curl commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from replay import hackle
from replay.pipeline.feed import events_of
from replay.pipeline.stages import Judging
from replay.rules import Judge
from replay.settings import show_url
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.pipeline.stages import Job


@dataclass(frozen=True, slots=True)
class Preview:
    """The bodies of the first valid rows, and how many rows before the last of them are not sent."""

    bodies: list[bytes]
    passed_over: int


def preview(job: Job, rows: int) -> Preview:
    """Read no more of the sources than the first `rows` valid rows need."""
    bodies: list[bytes] = []
    passed_over = 0
    for events, invalid in _chunks(job):
        wanted = list(islice(events, rows - len(bodies)))
        bodies.extend(wanted)
        if len(bodies) >= rows:
            break
        passed_over += invalid
    return Preview(bodies, passed_over)


def _chunks(job: Job) -> Iterator[tuple[list[bytes], int]]:
    judge = Judge(job.severities())
    for index, source in enumerate(job.sources):
        with open_source(source, job.read_settings(index)) as reader:
            for judged in Judging(job, judge, reader):
                bodies = [event.body for event in events_of(index, judged)]
                yield bodies, len(judged) - len(bodies)


def curl(body: bytes, url: str) -> str:
    """The shell command that sends the same bytes, with the key from the environment."""
    return (
        f"curl -sS {shlex.quote(show_url(url))} -H 'Content-Type: {hackle.CONTENT_TYPE}'"
        f' -H "{hackle.KEY_HEADER}: ${hackle.KEY_VARIABLE}" --data-binary {shlex.quote(body.decode())}'
    )
