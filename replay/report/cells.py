"""Lines of a CSV that every reader takes apart into the same cells again; and cells for spreadsheets."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


def as_text(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would run it as a formula.

    For files that people look at, never for those that are sent again. A plain number such as -5 stays one.
    """
    return f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


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
