"""The scale on which latencies are counted: four steps an octave, good to a tenth, whatever the range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NO_ANSWER: Final = 0
"""What stands for the status of an attempt that got none."""


def step_of(seconds: float) -> int:
    """The step in which a time lies."""
    micros = int(seconds * 1e6)
    octave = micros.bit_length()
    return octave * 4 + ((micros >> (octave - 3)) & 3) if octave > 2 else micros


def seconds_of(step: int) -> float:
    """The middle of a step, in seconds."""
    octave, quarter = divmod(step, 4)
    return (4.5 + quarter) * 2.0 ** (octave - 3) / 1e6 if octave > 2 else step / 1e6


def percentiles(counted: Mapping[int, int], shares: Sequence[float]) -> list[float]:
    """The seconds within which these shares (ascending) of the counted times lie."""
    total, found, seen = sum(counted.values()), list[float](), 0
    for step in sorted(counted):
        seen += counted[step]
        while len(found) < len(shares) and seen >= shares[len(found)] * total:
            found.append(seconds_of(step))
    return found
