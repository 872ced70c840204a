"""What becomes of rows when their attempts have ended: they end, or wait for another try.

A row whose last try failed as tries fail in an outage is not given up at once: it is spent. The next
answer decides. If the destination is there, the failures were the row's own, and it ends. If the
breaker opens, they were not, and all rows get their tries back. When nothing else is left to go, the
spent rows try again themselves, as long as other rows wait behind them; the last rows of a run end.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import StorageError
from replay.reasons import Groups
from replay.records import Outcome, Result
from replay.sender.repeats import Repeats
from replay.sink import Again, Answer, Budget, End, Meaning, Stop, Tries, judge
from replay.sink.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.records import Event
    from replay.sender.limits import Limits
    from replay.sender.order import Order
    from replay.settings import SendSettings
    from replay.sink import Gate, Passage

_FIRST: Final = Tries()


class Watcher(Protocol):
    """Who is told what happens to rows; all calls come from the event loop and must not block.

    StorageError out of any of them stops the run.
    """

    def on_start(self, event: Event) -> None:
        """A request of this row is about to leave; it does not if this raises."""

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """An attempt ended; `before` is what the row had behind it."""

    def on_wait(self, event: Event) -> None:
        """The row was not accepted, for sure, by any attempt so far, and waits for another try."""

    def on_end(self, event: Event, result: Result) -> None:
        """The row ended so."""

    def on_take_back(self, event: Event, result: Result) -> None:
        """What was told of this row's end does not hold: it is pending."""


class Settling:
    """Decides about rows by the answers they got, and tells the watcher.

    `order` is whom ended rows leave and others come back to, `stop` what ends the run: by what, and why.
    """

    def __init__(
        self,
        order: Order,
        gate: Gate,
        settings: SendSettings,
        watcher: Watcher,
        stop: Callable[[str, str], None],
        limits: Limits,
    ) -> None:
        self._order = order
        self._gate = gate
        self._settings = settings
        self._watcher = watcher
        self._stop = stop
        self._repeats = Repeats(Budget(gate.clock), order.again)
        self._tries: dict[Event, Tries] = {}
        self._spent: dict[Event, tuple[float, Result]] = {}  # since when, and how the row ends if it does
        self._limits = limits
        if settings.reached:
            limits.reach()
        self._groups = Groups()
        self._is_stopped = False
        self._usual = Answer(Meaning.ACCEPTED, "")
        self._usual_result = Result(Outcome.DELIVERED, None, 1, "")

    @property
    def waiting(self) -> int:
        """How many rows wait for another try."""
        return len(self._repeats)

    def settle(self, event: Event, answer: Answer, passage: Passage) -> bool:
        """Carry out what an answer makes of its row; whether it was not accepted, and will be tried again."""
        before = self._tries.get(event, _FIRST)
        if answer.meaning is Meaning.ACCEPTED:
            answer = self._limits.believed(answer)
        self._watcher.on_answer(event, answer, before)
        self._repeats.note_attempt()
        if before is _FIRST and answer.meaning is Meaning.ACCEPTED and not self._spent:
            self._gate.note(passage, answer)
            self._end(event, self._delivered_at_once(answer))
            return False
        trouble = answer.is_trouble
        was_closed = trouble and self._gate.is_closed
        too_long = self._gate.note(passage, answer)
        free = trouble and self._gate.is_closed
        if free and not was_closed:
            self._give_tries_back()
            before = before.given_back()
        if self._spent:
            self._decide_about_spent(answer, passage)
        waits = self._carry_out(event, answer, before.after(answer, free=free), free=free)
        if self._spent:
            self.look_at_spent()
        if too_long is not None:
            self._stop("outage", too_long)
        return waits

    def abandon(self, event: Event) -> None:
        """Tell of an attempt that began to leave and broke off without an answer: it may have arrived."""
        reason = "ended while its request was under way"
        before = self._tries.pop(event, _FIRST)
        with self._stop_on_storage_error():
            self._watcher.on_answer(event, Answer(Meaning.UNKNOWN, reason), before)
            self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, before.attempts + 1, reason))

    def look_at_spent(self) -> None:
        """See that spent rows do not wait for an answer when no other row is left to get one."""
        if self._is_stopped or len(self._spent) < self._order.released:
            return
        if self._order.is_whole and self._order.admitted == len(self._spent):
            for event, (_, result) in [*self._spent.items()]:
                self._give_up(event, result)
        else:
            self._put_spent_back()

    def stop(self) -> None:
        """Let no row come back any more."""
        self._is_stopped = True
        self._repeats.stop()

    def finish(self) -> None:
        """Tell what is left to tell when all attempts are over."""
        self._tell_the_doubtful()
        self._take_back()

    def _carry_out(self, event: Event, answer: Answer, tries: Tries, *, free: bool) -> bool:
        settings = self._settings
        verdict = judge(answer, tries, settings.retries, settings.on_ambiguous, self._gate.random)
        match verdict:
            case End(outcome, spent):
                result = self._result(event, answer, tries, outcome)
                if not spent:
                    self._end(event, result)
                    return False
                self._spent[event] = self._gate.clock(), result
            case Stop(stopped_by, outcome):
                self._stop(
                    stopped_by, _why_stopped(answer)
                )  # first: it is the reason, however the row counts
                if outcome is not Outcome.PENDING:
                    self._end(event, self._result(event, answer, tries, outcome))
                if outcome is not Outcome.PENDING:
                    return False
            case Again(seconds, everybody):
                if everybody:
                    self._gate.pause(seconds, answer.reason if answer.retry_after is None else "Retry-After")
                is_paid = not free and not answer.throttled
                self._repeats.wait(event, self._gate.within_outage(seconds), is_paid=is_paid)
        self._tries[event] = tries
        if tries.unknowns:
            event.is_doubtful = True
            return False
        self._watcher.on_wait(event)
        return isinstance(verdict, Again)

    def _result(self, event: Event, answer: Answer, tries: Tries, outcome: Outcome) -> Result:
        failure = answer.reports_failure and outcome is Outcome.DELIVERED
        group = "" if outcome is Outcome.DELIVERED else self._groups.of(answer.reason, event.body)
        return Result(outcome, answer.status, tries.attempts, answer.reason, group, failure)

    def _delivered_at_once(self, answer: Answer) -> Result:
        """What most rows end with; made once for as long as the answers are the same."""
        if answer is not self._usual:
            self._usual = answer
            self._usual_result = Result(
                Outcome.DELIVERED, answer.status, 1, answer.reason, reports_failure=answer.reports_failure
            )
        return self._usual_result

    def _end(self, event: Event, result: Result) -> None:
        self._tries.pop(event, None)
        self._watcher.on_end(event, result)
        self._order.leave(event)
        if enough := self._limits.add(event, result):
            self._stop(*enough)

    def _decide_about_spent(self, answer: Answer, passage: Passage) -> None:
        """An attempt that began after a row was spent, and got an answer, shows that the row is to blame."""
        if answer.is_trouble or answer.meaning is Meaning.RUN_REFUSED:
            return
        for event, (since, result) in [*self._spent.items()]:
            if passage.began >= since:
                self._give_up(event, result)

    def _give_up(self, event: Event, result: Result) -> None:
        del self._spent[event]
        self._end(event, result)

    def _give_tries_back(self) -> None:
        for event, tries in self._tries.items():
            self._tries[event] = tries.given_back()
        self._put_spent_back()

    def _put_spent_back(self) -> None:
        for event in self._spent:
            wait = backoff(self._tries[event].attempts, self._gate.random)
            self._repeats.wait(event, self._gate.within_outage(wait), is_paid=False)
        self._spent.clear()

    def _tell_the_doubtful(self) -> None:
        """A row that waited for another try after an attempt whose end is not known is ambiguous."""
        reason = "the run stopped after an attempt whose end is not known"
        for event, tries in self._tries.items():
            if tries.unknowns:
                with self._stop_on_storage_error():
                    self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, tries.attempts, reason))

    def _take_back(self) -> None:
        """Rows refused by a destination that refuses every row are pending, not rejected."""
        for event, result in self._limits.of_destination:
            with self._stop_on_storage_error():
                self._watcher.on_take_back(event, result)

    @contextmanager
    def _stop_on_storage_error(self) -> Iterator[None]:
        """One row that cannot be written down does not keep the next from being tried."""
        try:
            yield
        except StorageError as error:
            self._stop(error.kind, str(error))


def _why_stopped(answer: Answer) -> str:
    if answer.meaning is not Meaning.DISBELIEVED:
        return answer.reason
    return (
        f"the first response was {answer.reason}. Nothing was delivered to this address before, so that is "
        "no delivery; check the address, and whether the row arrived"
    )
