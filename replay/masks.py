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
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from replay.records import Target  # noqa: TC001 - msgspec reads hints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGN: Final = "#"
_HASH_BYTES: Final = 5
_SHORT: Final = 4  # characters; a shorter value is only looked for as a word of its own
_CUT_FROM: Final = 290  # characters; the sink cuts the words of an answer a little beyond
_CUT_AT_LEAST: Final = 3  # characters of a value that an answer's end may have cut
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_STATUS: Final = re.compile(r"[0-9]{3} ")
_DOTS: Final = {0x130: "i", 0x131: "i"}  # a pattern takes these as an i where case does not count
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
            words = _without(words, value, partial(self.hash, value))
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
    """The texts of all values within one, however deep they are."""
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, dict | list):
            left.extend(inner.values() if isinstance(inner, dict) else inner)
        else:
            yield _text(inner)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def _without(words: str, value: str, hashed: Callable[[], str]) -> str:
    """The words with a hash wherever they quote a value, be it cut off at their end.

    What is looked for is no longer than the words, however long the value is: of a longer one only the
    beginning can be there, cut off.
    """
    was_cut = len(words) >= _CUT_FROM
    for form in _forms(value, len(words) + 1):
        if _folded(form[: _CUT_AT_LEAST + 1]) not in _folded(words):
            continue
        pattern = re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
        found = re.search(pattern, words, flags=re.IGNORECASE) is not None
        if found:
            words = re.sub(pattern, hashed(), words, flags=re.IGNORECASE)
        if was_cut and (length := _cut_off(words, form)):
            return words[:-length] + hashed()
    return words


def _cut_off(words: str, form: str) -> int:
    """How many characters at the end of the words are the beginning of a form, and no more of it is there."""
    end = words.casefold()
    for length in range(min(len(form) - 1, len(words)), _CUT_AT_LEAST, -1):
        if end.endswith(form[:length].casefold()):
            return length
    return 0


def _folded(text: str) -> str:
    """Letters of any case as one; at least those that a pattern takes as one, too."""
    return text.translate(_DOTS).casefold()


def _forms(value: str, most: int) -> list[str]:
    """How a value may be written, the longest first, each cut off at the length that can be found.

    Every form but the plain one writes each character as one or more, so a beginning is enough to make it.
    """
    plain = _CONTROLS.sub(" ", value).strip()[:most]
    start = value[:most]
    written = (json.dumps(start, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False))
    forms = {start, plain, *written, html.escape(start), quote(start), quote(start, safe="")}
    return sorted((form[:most] for form in forms if form.strip()), key=len, reverse=True)
