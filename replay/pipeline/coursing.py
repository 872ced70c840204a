"""The course of a run in its ledger: read back, and written now and then while the run lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from replay.ledger import samples_of, write_samples
from replay.report import Course

if TYPE_CHECKING:
    from replay.ledger import Store


def course_of(store: Store, run: int) -> Course:
    """The course of a run so far; an empty one where nothing of it can be read: no row hangs on it."""
    try:
        return Course(samples_of(store, run))
    except msgspec.MsgspecError:
        return Course()


def write_course(store: Store, run: int, news: tuple[bool, list[tuple[int, str]]]) -> None:
    """Write what `Course.take` gave."""
    anew, samples = news
    write_samples(store, run, samples, anew=anew)
