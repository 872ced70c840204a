"""Time limits for many attempts of the same length: one timer for all, where each would cost its own.

A process that was suspended, or busy, finds its limits passed before it has read what arrived meanwhile. So
the loop reads first: a limit that has passed cuts off what is still waiting some turns of the loop later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

READING_TURNS: Final = (
    8  # of the loop: it looks at its sockets in each, and a response takes a few to its end
)


class Deadline:
    """The time limit of one block of code: TimeoutError comes out of it when it has passed."""

    __slots__ = ("_cancels", "_task", "at", "has_passed", "is_over")

    def __init__(self, at: float, task: asyncio.Task[object]) -> None:
        self._task = task
        self._cancels = task.cancelling()
        self.at = at
        self.has_passed = False
        self.is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over = True
        if self.has_passed and self._task.uncancel() <= self._cancels and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut(self) -> None:
        """Break the block off."""
        self.has_passed = True
        self._task.cancel()


class Deadlines:
    """Hands out time limits of `seconds` each; since all are equal, the oldest passes first.

    Belongs to the running loop: to ask anew which one that is takes a call of the system's.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._line: deque[Deadline] = deque()
        self._timer: asyncio.Handle | None = None

    def __call__(self) -> Deadline:
        """A time limit for the calling task, from now on."""
        loop = self._loop
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can be cut off")
        line = self._line
        while line and line[0].is_over:
            line.popleft()
        deadline = Deadline(loop.time() + self._seconds, task)
        line.append(deadline)
        if self._timer is None:
            self._timer = loop.call_at(deadline.at, self._look)
        return deadline

    def _look(self) -> None:
        """Let the loop read what has arrived, then cut off what has taken too long until now."""
        self._wait_turns(READING_TURNS, self._loop.time())

    def _wait_turns(self, turns: int, now: float) -> None:
        if turns:
            self._timer = self._loop.call_soon(self._wait_turns, turns - 1, now)
        else:
            self._cut_off(now)

    def _cut_off(self, now: float) -> None:
        """Cut off what should have ended by then, and wait for the next that should."""
        line = self._line
        while line and (line[0].is_over or line[0].at <= now):
            deadline = line.popleft()
            if not deadline.is_over:
                deadline.cut()
        self._timer = self._loop.call_at(line[0].at, self._look) if line else None

    def close(self) -> None:
        """Forget the timer; nothing is cut off any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
