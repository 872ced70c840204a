"""The exact requests of the first rows, as JSON bodies or as curl commands."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from replay import hackle
from replay.mapping import bodies as bodies_of
from replay.pipeline.choosing import Fate, Known
from replay.pipeline.identity import content_of, part_of
from replay.pipeline.plan import chooser_of
from replay.pipeline.stages import Judging
from replay.rules import Judge
from replay.settings import show_url
from replay.source import fingerprint_of, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.pipeline.choosing import Chosen
    from replay.pipeline.stages import Job
    from replay.source import Source


@dataclass(frozen=True, slots=True)
class Preview:
    """The bodies of the first valid rows, and the rows before the last of them that are not sent.

    `elsewhere` of those passed over are left out by the mapping's `[where]`.
    """

    bodies: list[bytes]
    passed_over: int
    elsewhere: int = 0


def preview(job: Job, rows: int) -> Preview:
    """Read no more of the sources than the first `rows` valid rows need."""
    bodies: list[bytes] = []
    passed_over = elsewhere = 0
    for chosen in _chosen(replace(job, limit=rows)):
        made = bodies_of(chosen.judged.mapped, chosen.fates == Fate.SEND)
        bodies += [body for body in made if body is not None]
        passed_over += len(chosen.judged) - chosen.count(Fate.SEND)
        elsewhere += chosen.judged.elsewhere
    return Preview(bodies, passed_over, elsewhere)


def look_at(job: Job) -> None:
    """Read the beginning of each source; raises what would keep a run from beginning with it."""
    judge = Judge(job.severities())
    for index, source in enumerate(job.sources):
        with open_source(source, job.read_settings(index)) as reader:
            next(iter(Judging(job, judge, reader, f"source {index}")), None)


def _chosen(job: Job) -> Iterator[Chosen]:
    judge, chooser = Judge(job.severities()), chooser_of(job, Known())
    for index, source in enumerate(job.sources):
        uid = _uid(job, index, source)
        with open_source(source, job.read_settings(index)) as reader:
            for judged in Judging(job, judge, reader, uid):
                yield chooser.choose(judged, uid)
                if chooser.is_full:
                    return


def _uid(job: Job, index: int, source: Source) -> str:
    """The name of a source's content, where the mapping sends ids: it takes all its bytes to tell."""
    if job.mapping is None or not job.mapping.sends_ids:
        return f"source {index}"
    read = job.read_settings(index)
    return content_of(fingerprint_of(source, read), part_of(read)).uid


def curl(body: bytes, url: str) -> str:
    """The shell command that sends the same bytes, with the key from the environment."""
    return (
        f"curl -sS {shlex.quote(show_url(url))} -H 'Content-Type: {hackle.CONTENT_TYPE}'"
        f' -H "{hackle.KEY_HEADER}: ${hackle.KEY_VARIABLE}" --data-binary {shlex.quote(body.decode())}'
    )
