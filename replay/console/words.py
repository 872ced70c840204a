"""Talk and data: what goes to which stream, cleaned of what could steer a terminal."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from typing import TYPE_CHECKING, Any, Final

from replay.report.text import CONTROL, clean, short

__all__ = ["clean", "clean_json", "print_data", "print_json", "print_table", "say", "short"]

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.table import Table

NUMBERS: Final = frozenset({"rows", "delivered", "failed", "pending"})
COLUMNS: Final = 80  # of a terminal that does not say how many it has
UNBOUNDED: Final = 1_000_000  # columns of what has no width
BETWEEN: Final = 3  # columns that a table has between its own
EVENT_KEYS_SHOWN: Final = 12
BEYOND_KEYS: Final = len(" and 1,000,000 or more others")
INDENT: Final = 13  # columns before what is said beside a name
VALUE_SHOWN: Final = 40


def clean_json(text: str) -> str:
    """The same JSON, with what could steer a terminal escaped as JSON does it."""
    return CONTROL.sub(lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text)


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr)  # noqa: T201


def columns(stream: TextIO) -> int | None:
    """How many columns a terminal has; None for a pipe or a file, which have no width.

    A terminal that reports none, as in `script` or `ssh -tt`, has as many as COLUMNS says, or 80.
    """
    if not stream.isatty():
        return None
    try:
        reported = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        reported = 0
    named = os.environ.get("COLUMNS", "")
    return reported or (int(named) if named.isdecimal() else 0) or COLUMNS


def folded(name: str, text: str) -> str:
    """A name and what there is to say of it, folded beside it on a terminal."""
    head = f"  {name:<{INDENT - 2}}"
    width = columns(sys.stderr)
    if width is None:
        return head + text
    folds = textwrap.TextWrapper(
        max(width, INDENT + 1),
        initial_indent=head,
        subsequent_indent=" " * INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return folds.fill(text)


def print_data(text: str) -> None:
    """One line of data."""
    print(text)  # noqa: T201


def print_json(document: dict[str, Any]) -> None:
    """One JSON object, the only thing on standard output."""
    print_data(clean_json(json.dumps(document, ensure_ascii=False, indent=2)))


def print_table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table. Cells are folded between words, and no word, number or id is ever cut.

    A terminal that is too narrow for that gets a block of lines for each row instead.
    """
    from rich.cells import cell_len
    from rich.console import Console

    cells = [[clean(str(cell)) for cell in row] for row in rows]
    width = columns(sys.stdout)
    kept = [[*column] for column in zip(names, *cells, strict=True)]
    longest = [max(map(cell_len, column)) for column in kept]
    least = [max(cell_len(word) for text in column for word in text.split() or [""]) for column in kept]
    room = UNBOUNDED if width is None else width - len(names) * BETWEEN
    widths = fitted_widths(longest, least, room)
    if widths is not None:
        # rich believes a width only beside a height: a dumb terminal has 80 columns else
        Console(highlight=False, width=width or UNBOUNDED, height=25).print(_table(names, cells, widths))
    else:
        print_data("\n\n".join(_block(names, row, width or UNBOUNDED) for row in cells))


def fitted_widths(longest: Sequence[int], least: Sequence[int], room: int) -> list[int] | None:
    """How wide columns may be that have so much room in all; None if they do not fit.

    `longest`: their longest cells, `least`: their longest words.
    """
    widths = [*longest]
    while sum(widths) > room:
        spare = [place for place, width in enumerate(widths) if width > least[place]]
        if not spare:
            return None
        widths[max(spare, key=widths.__getitem__)] -= 1
    return widths


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in zip(names, widths, strict=True):
        justify: Any = "right" if name in NUMBERS else "left"
        made.add_column(name, justify=justify, overflow="fold", width=width)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _block(names: Sequence[str], row: Sequence[str], width: int) -> str:
    """A row as lines: its first cell, then the others with their names, as many on a line as it holds."""
    lines = [row[0]]
    for name, cell in zip(names[1:], row[1:], strict=True):
        more = f"{lines[-1]}, {name}: {cell}"
        if len(lines) > 1 and len(more) <= width:
            lines[-1] = more
        elif cell:
            lines.append(f"  {name}: {cell}")
    folds = textwrap.TextWrapper(
        width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(folds.fill(line) for line in lines)


def keys_line(event_keys: dict[str, int], estimates: list[str], width: int | None = None) -> str:
    """The commonest event keys with their counts; no more of them than about `width` characters hold."""
    texts = [f"{clean(_key(key, width))} {rows:,}" for key, rows in event_keys.items()]
    first = texts[:EVENT_KEYS_SHOWN]
    while width is not None and len(first) > 1 and len(", ".join(first)) > width - BEYOND_KEYS:
        first.pop()
    beyond = len(texts) - len(first)
    more = " or more" if "event_keys" in estimates else ""
    text = ", ".join(first) or "none"
    return f"{text} and {beyond:,}{more} others" if beyond > 0 or more else text


def _key(key: str, width: int | None) -> str:
    return key if width is None else short(key, VALUE_SHOWN)
