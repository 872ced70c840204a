"""Owns how a drafted mapping is written: TOML with what was seen in comments, the same for the same data."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from replay.mapping import paths

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMENT_AT: Final = 44  # where comments begin, so that they stand below one another
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a mapping: a name, what stands behind it as TOML writes it, and what was seen.

    A line that is `off` is commented out.
    """

    name: str
    value: str
    remark: str = ""
    off: bool = False

    def __str__(self) -> str:
        written = ("# " if self.off else "") + f"{key(self.name)} = {self.value}"
        return f"{written:<{COMMENT_AT - 2}}  # {clean(self.remark)}" if self.remark else written


def key(name: str) -> str:
    """The name of a target's member, as TOML and the mapping write it."""
    escaped = paths.escape(name)
    return escaped if _BARE.fullmatch(escaped) else text(escaped)


def text(value: str) -> str:
    """A text as TOML writes it."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def value(value: Any) -> str:
    """A text, flag or list of texts as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(text, value))}]" if isinstance(value, list) else text(value)


def inline(members: dict[str, Any]) -> str:
    """An inline table."""
    return f"{{ {', '.join(f'{name} = {value(one)}' for name, one in members.items())} }}"


def table(title: str, lines: Iterable[Line | str]) -> str:
    """A table with its lines, each with its end."""
    return "".join(f"{line}\n" for line in (title, *lines))


def clean(remark: str) -> str:
    """A remark that stays in its comment: what TOML forbids there is escaped."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", remark)


def count(rows: int, noun: str) -> str:
    """So many of a thing, in words."""
    return f"{rows:,} {noun}{'' if rows == 1 else 's'}"
