"""One line of a CSV that every reader takes apart into the same cells again."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def csv_line(cells: Sequence[str], delimiter: str = ",", *, quote_all: bool = False) -> bytes:
    """A line in UTF-8 that ends in a line feed, quoted where it must be."""
    # Not every Python quotes a lone carriage return by itself.
    quote_all = quote_all or any("\r" in cell for cell in cells)
    text = io.StringIO(newline="")
    writer = csv.writer(
        text,
        delimiter=delimiter,
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
    )
    writer.writerow(cells)
    return text.getvalue().encode()
