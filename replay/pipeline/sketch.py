"""Counting distinct values in bounded memory: exact up to a bound, an estimate beyond it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXACT_MAX: Final = 100_000
MERGED_MOSTS: Final = 0.6  # a sort costs several times the memory of what it sorts


class Distinct:
    """The smallest hashes seen, `most` of them: all there are, or a measure of how dense the rest is.

    Source: Bar-Yossef et al., "Counting distinct elements in a data stream" (k minimum values); its
    standard error is about 1/sqrt(k), here 0.3 %.
    """

    def __init__(self, most: int = EXACT_MAX) -> None:
        self._most = most
        self._smallest: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)
        self._fresh: list[NDArray[np.uint64]] = []
        self._exact = True

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Count 64-bit hashes of values."""
        if not self._exact:
            hashes = hashes[hashes < self._smallest[-1]]
        self._fresh.append(hashes)
        if sum(map(len, self._fresh)) > MERGED_MOSTS * self._most:
            self._merge()

    @property
    def exact(self) -> bool:
        """Whether the count is no estimate."""
        self._merge()
        return self._exact

    def count(self) -> int:
        """How many different hashes were added."""
        if self.exact:
            return len(self._smallest)
        return round((self._most - 1) / (float(self._smallest[-1]) / 2.0**64))

    def _merge(self) -> None:
        """Take in what came since; many at once, because each time costs a sort."""
        merged = np.sort(np.concatenate([self._smallest, *self._fresh]))
        self._fresh = []
        merged = merged[np.append(True, merged[1:] != merged[:-1])] if len(merged) else merged
        self._exact = self._exact and len(merged) <= self._most
        self._smallest = merged[: self._most]
