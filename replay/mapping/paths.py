"""Owns names: dotted paths, their escape, the targets of a request, and near matches."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from replay.errors import MappingError
from replay.mapping import cells

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.records import Target

OBJECTS: Final = (("event", "properties"), ("user", "identifiers"), ("user", "properties"))
"""The objects of a request whose members the user names."""

SINGLES: Final = (
    ("event", "key"),
    ("event", "value"),
    ("user", "userId"),
    ("user", "deviceId"),
    ("user", "id"),
)

_DOT: Final = re.compile(r"(?<!\\)\.")
_SHOWN_TARGETS: Final = (
    *(".".join(single) for single in SINGLES),
    *(".".join(owner) + ".NAME" for owner in OBJECTS),
)


def split(text: str) -> tuple[str, ...]:
    r"""The names of a dotted path; `\.` is a dot inside a name."""
    return tuple(unescape(name) for name in _DOT.split(text))


def unescape(name: str) -> str:
    r"""The name that `a\.b` stands for."""
    return name.replace("\\.", ".")


def escape(name: str) -> str:
    r"""The name as a path writes it: its dots as `\.`."""
    return name.replace(".", "\\.")


def show(path: Iterable[str]) -> str:
    """The dotted path of these names."""
    return ".".join(escape(name) for name in path)


def is_text(target: Target) -> bool:
    """Whether the API takes only text there: the event key and every identifier."""
    return (target[0] == "user" and target[1] != "properties") or target == ("event", "key")


def parse_target(text: str, origin: str) -> Target:
    """The target that a dotted path names, such as `event.properties.amount`."""
    target = split(text)
    if target in SINGLES or (len(target) == 3 and target[:2] in OBJECTS and target[2] != ""):
        return target
    if len(target) > 3 and target[:2] in OBJECTS:
        written = show((*target[:2], ".".join(target[2:])))
        raise MappingError(
            f"{origin}: {text} would nest, and the API takes no nested properties. "
            f"If the dot belongs to the name, write {written}."
        )
    raise MappingError(
        f"{origin}: {text} is no target of the API{near(text, _SHOWN_TARGETS) or '.'} "
        f"The targets are {', '.join(_SHOWN_TARGETS)}."
    )


def near(name: str, candidates: Iterable[str]) -> str:
    """What to say about the candidates that look like a name: "; did you mean 'x'?", or nothing."""
    known = list(dict.fromkeys(candidates))
    for same, remark in _LOOKS:
        twins = [candidate for candidate in known if candidate != name and same(candidate) == same(name)]
        if twins:
            return f"; did you mean {twins[0]!r}{remark(name, twins[0])}?"
    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"; did you mean {' or '.join(map(repr, matches))}?" if matches else ""


def _unicode_remark(name: str, twin: str) -> str:
    if unicodedata.normalize("NFD", twin) == twin:
        return " (the file writes it in decomposed Unicode (NFD))"
    return " (the file writes it in composed Unicode (NFC))"


_LOOKS: Final = (
    (lambda name: unicodedata.normalize("NFC", name), _unicode_remark),
    (lambda name: name.strip(), lambda *_: " (the spaces around it count)"),
    (lambda name: unicodedata.normalize("NFC", name.strip()).casefold(), lambda *_: " (case counts)"),
)


def reaches(record: Any, path: tuple[str, ...]) -> bool:
    """Whether a record has a member at this path, whatever its value; an object may be a JSON text."""
    for name in path:
        record = opened(record)
        if type(record) is not dict or name not in record:
            return False
        record = record[name]
    return True


def opened(value: Any) -> Any:
    """The object or array that a JSON text holds, if it holds one; any other value as it is."""
    if type(value) is not str or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return cells.decode(value)
    except ValueError:
        return value
