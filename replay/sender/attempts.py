"""How many requests were made: the counting that a run and its sender processes share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from replay.records import Answers
from replay.sink import Answer, Meaning

if TYPE_CHECKING:
    from replay.records import Event
    from replay.sink import Tries


@dataclass(slots=True)
class Attempts:
    """Requests, retries, extra sends that may have been accepted, and what came back how fast.

    An extra send counts from the moment it leaves, so that a kill does not take it along; one that was
    not accepted, for sure, is taken back. `first`, `last`: when the first request left and the last
    answer came, in seconds of the monotonic clock; 0 for not yet.
    """

    requests: int = 0
    retries: int = 0
    duplicates: int = 0
    first: float = 0.0
    last: float = 0.0
    answers: Answers = field(default_factory=Answers)

    def start(self, event: Event) -> None:
        """A request of this row is about to leave; if it is doubtful, it may arrive once more by it."""
        event.left_at = time.monotonic()
        if not self.first:
            self.first = event.left_at
        self.duplicates += event.is_doubtful

    def add(self, event: Event, answer: Answer, before: Tries) -> bool:
        """Count an attempt; whether its row, in doubt when it started, may have arrived once more by it."""
        self.last = time.monotonic()
        self.requests += 1
        self.retries += before.attempts > 0
        self.answers.add(answer.status, self.last - event.left_at if answer.started else None)
        if not event.is_doubtful:
            return False
        extra = answer.meaning in (Meaning.ACCEPTED, Meaning.UNKNOWN, Meaning.DISBELIEVED)
        self.duplicates -= not extra
        return extra
