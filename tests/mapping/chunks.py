"""Small chunks to map: tables of text cells, records of objects."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pandas as pd

from replay.mapping import Bound, Mapping, bind
from replay.records import Chunk, Mapped


def table(header: list[str], *rows: list[str]) -> Chunk:
    columns = {place: pd.Series([row[place] for row in rows], dtype="str") for place in range(len(header))}
    size = len(rows)
    return Chunk("table", tuple(header), pd.DataFrame(columns), *_numbers(size, 2), None, (), 0)


def column(name: str, cells: list[str]) -> Chunk:
    return table([name], *[[cell] for cell in cells])


def records(*rows: Any) -> Chunk:
    cells = np.empty(len(rows), dtype=object)
    for place, row in enumerate(rows):
        cells[place] = row
    raw = [msgspec.json.encode(row) for row in rows]
    return Chunk("records", (), pd.DataFrame({0: cells}), *_numbers(len(rows), 1), raw, (), 0)


def _numbers(size: int, first_line: int) -> tuple[Any, Any]:
    return np.arange(1, size + 1), np.arange(first_line, size + first_line)


def fit(chunk: Chunk, mapping: Mapping | None) -> Bound:
    return bind(mapping, chunk.kind, chunk.header, "events.csv", chunk.frame)


def apply(chunk: Chunk, mapping: Mapping | None) -> Mapped:
    return fit(chunk, mapping).apply(chunk)


def assigned(*assignments: str) -> Mapping:
    return Mapping.empty().with_set(assignments)


def values(mapped: Mapped, *target: str) -> dict[int, Any]:
    """What each place has at a target."""
    if target not in mapped.columns:
        return {}
    found = mapped.columns[target]
    return dict(zip(found.index.tolist(), found.tolist(), strict=True))


def breaches(mapped: Mapped) -> list[tuple[str, str, list[int]]]:
    return [(finding.rule, finding.field, finding.positions) for finding in mapped.findings]
