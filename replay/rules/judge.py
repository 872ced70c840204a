"""Owns the judging of a chunk: every rule over what a mapping made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from replay.rules.events import judge_key, judge_value
from replay.rules.properties import judge_numbers, judge_properties
from replay.rules.sequence import Duplicates, TimeOrder
from replay.rules.users import judge_identifiers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from replay.records import Chunk, Finding, Mapped
    from replay.settings import Severity


class Judge:
    """Judges chunk after chunk, in the order in which they are read.

    Between chunks it remembers the time of the row before; every row only if `row-duplicate` is asked for.
    """

    def __init__(self, severities: Mapping[str, Severity]) -> None:
        self._severities = severities
        self._order = TimeOrder()
        self._duplicates = Duplicates() if severities["row-duplicate"] != "off" else None

    def judge(self, mapped: Mapped, chunk: Chunk) -> list[Finding]:
        """Every finding about a chunk, the mapping's own first; rules that are off are left out."""
        return [finding for finding in self._all(mapped, chunk) if self._severities[finding.rule] != "off"]

    def _all(self, mapped: Mapped, chunk: Chunk) -> Iterator[Finding]:
        yield from mapped.findings
        yield from judge_key(mapped)
        yield from judge_identifiers(mapped)
        yield from judge_value(mapped)
        yield from judge_properties(mapped)
        yield from judge_numbers(mapped)
        yield from self._order.judge(mapped)
        if self._duplicates is not None:
            yield from self._duplicates.judge(mapped, chunk)


def invalid_places(
    findings: Iterable[Finding], severities: Mapping[str, Severity], size: int
) -> NDArray[np.bool_]:
    """The rows (a mask of a chunk of `size`) that break a rule whose severity is error."""
    wrong = np.zeros(size, dtype=np.bool_)
    for finding in findings:
        if severities[finding.rule] == "error":
            wrong[finding.positions] = True
    return wrong
