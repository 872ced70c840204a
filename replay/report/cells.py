"""Lines of a CSV that every reader takes apart into the same cells again."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def csv_line(cells: Sequence[str], delimiter: str = ",", *, quote_all: bool = False) -> bytes:
    """A line in UTF-8 that ends in a line feed, quoted where it must be."""
    return csv_lines([cells], delimiter, quote_all=quote_all)


def csv_lines(rows: Iterable[Sequence[str]], delimiter: str = ",", *, quote_all: bool = False) -> bytes:
    """The same of many rows, written at once."""
    text = io.StringIO(newline="")
    plain, quoted = (
        csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    for cells in rows:
        # Not every Python quotes a lone carriage return by itself.
        writer = quoted if quote_all or any("\r" in cell for cell in cells) else plain
        writer.writerow(cells)
    return text.getvalue().encode()
