"""A sink whose answers do not quote what is masked: nothing behind it gets to see the values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from replay.sink.answer import Answer, Meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.masks import Mask
    from replay.sink.exchange import Turn


class Sink(Protocol):
    """Where a body goes, once."""

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        """Send one body and say what the answer means."""
        ...


class Masking:
    """Sends through another sink, and masks the words of its answers."""

    def __init__(self, sink: Sink, mask: Mask) -> None:
        self._sink = sink
        self._mask = mask

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        """Send one body once; the answer's reason quotes no masked value of it."""
        answer = await self._sink.attempt(body, on_start, turn)
        if answer.meaning is Meaning.ACCEPTED and not answer.reports_failure:
            return answer
        return replace(answer, reason=self._mask.reason(answer.reason, body))


def masked(sink: Sink, mask: Mask) -> Sink:
    """The sink itself where nothing is masked."""
    return Masking(sink, mask) if mask else sink
