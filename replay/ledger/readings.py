"""Readings: how the rows of a copy were found in its bytes by each run that read it from its source.

Rows are known by their numbers, so a copy of which rows arrived is read as it was read then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from replay.ledger.base import Store


class Reading(NamedTuple):
    """How the rows of a content were found.

    `length`: its bytes; `rows`: the number of the last row that could be read; `lines`: a digest of the
    lines on which the rows up to it begin.
    """

    length: int
    rows: int
    lines: str


def remember_readings(store: Store, run: int, readings: Mapping[int, Reading]) -> None:
    """Write down how a run reads its copies. Within a transaction."""
    store.tell_many(
        "INSERT INTO readings VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(copy, run, *reading) for copy, reading in readings.items()],
    )


def readings_of(store: Store, copy: int) -> dict[Reading, str]:
    """How a copy was read, with the name of the last run that read it so.

    Only runs count of which rows arrived, or else, where a resend delivered them, the last that read it.
    """
    found = store.ask(
        "SELECT length, rows, lines, name,"
        " EXISTS (SELECT 1 FROM spans WHERE spans.copy = readings.copy AND spans.run = readings.run)"
        " OR EXISTS (SELECT 1 FROM words WHERE words.copy = readings.copy AND words.run = readings.run"
        " AND outcome = 'ambiguous')"
        " FROM readings JOIN runs ON runs.id = readings.run WHERE readings.copy = ? ORDER BY readings.run",
        copy,
    )
    counting = [reading for reading in found if reading[-1]] or found[-1:]
    return {
        Reading(int(length), int(rows), str(lines)): str(name) for length, rows, lines, name, _ in counting
    }
