"""An event loop whose time does not pass but is skipped: hours of waiting take no time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _Selector(selectors.SelectSelector):
    """Waits for nothing: where it would, the time is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        events = super().select(0)
        assert events or timeout is not None, "nothing will ever happen"
        if not events:
            self.now += max(timeout or 0.0, 0.0)
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """For stories without sockets and threads; its time starts at 0."""

    def __init__(self) -> None:
        self._skipping = _Selector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def skip(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a story whose waits take no time."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(story)
