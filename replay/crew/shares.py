"""Which sender process a row goes to: all rows of a user to the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from replay.records import Event

_DEVICE: Final = "deviceId="


def share_of(lanes: Sequence[str], processes: int) -> int | None:
    """The process, from 0, that rows of this user go to: by the deviceId where there is one, else the userId.

    None where the row has no user that could be told. `lanes` are as `replay.mapping.lanes` makes them.
    """
    if not lanes:
        return None
    for lane in lanes:
        if lane.startswith(_DEVICE):
            return crc32(lane.encode()) % processes
    return crc32(lanes[0].encode()) % processes


def shares(events: Iterable[Event], processes: int, *, by_user: bool) -> list[list[Event]]:
    """Rows in as many parts as there are processes, each in the order of the rows."""
    if processes == 1:
        return [list(events)]
    parts: list[list[Event]] = [[] for _ in range(processes)]
    known: dict[tuple[str, ...], int | None] = {}
    for place, event in enumerate(events):
        lanes = event.lanes if by_user else ()
        if lanes not in known:
            known[lanes] = share_of(lanes, processes)
        share = known[lanes]
        parts[place % processes if share is None else share].append(event)
    return parts
