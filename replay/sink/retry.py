"""What becomes of a row after an answer: it ends, or it is tried again after a while."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from replay.records import Outcome
from replay.sink.answer import Answer, Meaning

if TYPE_CHECKING:
    from collections.abc import Callable

BACKOFF_SECONDS: Final = 0.5
BACKOFF_MAX_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Tries:
    """What a row has behind it: attempts of all kinds, its own failures, and unknown ends."""

    attempts: int = 0
    failures: int = 0
    unknowns: int = 0

    def after(self, answer: Answer, *, free: bool = False) -> Tries:
        """The same with one more attempt, which ended in `answer`; an outage's failures are `free`."""
        failed = answer.meaning in (Meaning.NOT_ACCEPTED, Meaning.UNKNOWN)
        own = failed and not answer.throttled and not free
        return Tries(
            self.attempts + 1,
            self.failures + own,
            self.unknowns + (answer.meaning is Meaning.UNKNOWN),
        )

    def given_back(self) -> Tries:
        """The same with all its tries to come: what failed were not the row's own failures."""
        return Tries(self.attempts, 0, self.unknowns)


@dataclass(frozen=True, slots=True)
class End:
    """The row ends so; `spent`: by its last try, unless that turns out to have been an outage's fault."""

    outcome: Outcome
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The row is tried again after `seconds`; with `everybody`, all senders pause as long."""

    seconds: float
    everybody: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """The run stops; the row stays pending, or ambiguous where an earlier attempt may have arrived."""

    stopped_by: str
    outcome: Outcome


Verdict = End | Again | Stop


def judge(
    answer: Answer,
    tries: Tries,
    retries: int,
    on_ambiguous: Literal["hold", "resend"],
    random: Callable[[], float],
) -> Verdict:
    """Decide about a row from its last answer; `tries` includes that one.

    An attempt whose end is not known is repeated only with `resend`. Once there was one, only an
    acceptance tells what became of the row: everything else leaves it ambiguous.
    """
    doubtful = tries.unknowns > 0
    match answer.meaning:
        case Meaning.ACCEPTED:
            return End(Outcome.DELIVERED)
        case Meaning.RUN_REFUSED | Meaning.DISBELIEVED:
            doubtful = doubtful or answer.meaning is Meaning.DISBELIEVED
            return Stop(
                answer.stopped_by or "destination", Outcome.AMBIGUOUS if doubtful else Outcome.PENDING
            )
        case Meaning.ROW_REFUSED:
            return End(Outcome.AMBIGUOUS if doubtful else Outcome.REJECTED)
        case Meaning.UNKNOWN if on_ambiguous == "hold":
            return End(Outcome.AMBIGUOUS)
    if tries.failures > retries:
        return End(Outcome.AMBIGUOUS if doubtful else Outcome.EXHAUSTED, spent=answer.is_trouble)
    wait = max(backoff(tries.attempts, random), answer.retry_after or 0.0)
    asked = answer.retry_after is not None
    return Again(wait, everybody=asked or answer.meaning is Meaning.NOT_ACCEPTED)


def backoff(attempts: int, random: Callable[[], float]) -> float:
    """Seconds of full-jitter exponential backoff after so many attempts."""
    ceiling = min(BACKOFF_MAX_SECONDS, BACKOFF_SECONDS * 2.0 ** min(attempts - 1, 10))
    return ceiling * random()
