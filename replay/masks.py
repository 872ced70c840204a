"""Masks: values that are shown as a salted hash, so that one sees which are alike, and not what they are.

The same value has the same hash in all that one runs folder tells, and another one elsewhere. What is sent
stays as it is, and so do failed and unreadable files, which can be sent again.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from replay.records import Target  # noqa: TC001 - msgspec reads hints

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGN: Final = "#"
_HASH_BYTES: Final = 5
_SHORT: Final = 4  # characters; a shorter value is only looked for as a word of its own
_CUT_FROM: Final = 290  # characters; the sink cuts the words of an answer a little beyond
_CUT_AT_LEAST: Final = 3  # characters of a value that an answer's end may have cut
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_STATUS: Final = re.compile(r"[0-9]{3} ")
_DOT: Final = re.compile(r"(?<!\\)\.")


@dataclass(frozen=True, slots=True)
class Mask:
    """The fields whose values are hashed.

    `fields`: as the user named them. `targets`: the places of a request that hold such values; `columns`:
    the columns and paths of the sources that they come from.
    """

    fields: tuple[str, ...] = ()
    targets: frozenset[Target] = frozenset()
    columns: frozenset[str] = frozenset()
    salt: bytes = field(default=b"", repr=False)

    def __bool__(self) -> bool:
        return bool(self.fields)

    def hash(self, value: Any) -> str:
        """What is shown in the stead of a value; of nothing, nothing."""
        text = _text(value)
        if text == "":
            return ""
        return SIGN + hashlib.blake2b(text.encode(), key=self.salt, digest_size=_HASH_BYTES).hexdigest()

    def shown(self, name: str, value: Any) -> Any:
        """A value as it may be shown, by the field, column or path (dotted) where it stands."""
        return self.hash(value) if self.covers(name, whole=isinstance(value, str | dict | list)) else value

    def covers(self, name: str, *, whole: bool = True) -> bool:
        """Whether a masked value stands at this field, column or path; or within it, for what is `whole`.

        "" names a row as a whole.
        """
        if not self.fields:
            return False
        if name in self.columns:
            return True
        path = tuple(part.replace("\\.", ".") for part in _DOT.split(name)) if name else ()
        return any(_meet(path, place, whole=whole) for place in (*self.targets, *map(_path, self.columns)))

    def reason(self, text: str, body: bytes) -> str:
        """The words of an answer to this request, without the masked values that they quote.

        Found are whole values, as they are or as JSON, HTML or an address would write them, in any case.
        """
        return self.words(text, self.values(body))

    def words(self, text: str, values: set[str]) -> str:
        """The words of an answer without these values; its status stays."""
        status = match[0] if (match := _STATUS.match(text)) else ""
        words = text[len(status) :]
        for value in sorted(values, key=len, reverse=True):
            words = _without(words, value, self.hash(value))
        return status + words

    def values(self, body: bytes) -> set[str]:
        """The masked values of a request, as texts."""
        document: Any = msgspec.json.decode(body)
        return {text for target in self.targets for text in _leaves(_member(document, target)) if text}


def _meet(path: tuple[str, ...], place: tuple[str, ...], *, whole: bool) -> bool:
    within = path[: len(place)] == place
    return within or (whole and place[: len(path)] == path)


def _path(name: str) -> tuple[str, ...]:
    return tuple(part.replace("\\.", ".") for part in _DOT.split(name))


def _member(document: Any, target: Target) -> Any:
    for name in target:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def _without(words: str, value: str, hashed: str) -> str:
    """The words with a hash wherever they quote a value, be it cut off at their end."""
    was_cut = len(words) >= _CUT_FROM
    for form in sorted(_forms(value), key=len, reverse=True):
        pattern = re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
        words = re.sub(pattern, hashed, words, flags=re.IGNORECASE)
        for length in range(len(form) - 1, _CUT_AT_LEAST, -1) if was_cut else ():
            if words.casefold().endswith(form[:length].casefold()):
                return words[:-length] + hashed
    return words


def _forms(value: str) -> set[str]:
    plain = _CONTROLS.sub(" ", value).strip()
    written = (json.dumps(value, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    forms = {value, plain, *written, html.escape(value), quote(value), quote(value, safe="")}
    return {form for form in forms if form.strip()}
