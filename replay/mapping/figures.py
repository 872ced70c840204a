"""Owns numbers written for people, such as `1.234,56`: read only as a format shows them, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

import pyarrow as pa
import pyarrow.compute as pc

_SHOWN: Final = re.compile(
    r"(?P<before>[^0-9]*?)"
    r"(?P<whole>[0-9]{1,3}(?:(?P<group>[.,' _\u00a0\u2009\u202f\u2019])[0-9]{3})"
    r"(?:(?P=group)[0-9]{3})*|[0-9]+)"
    r"(?:(?P<point>[.,])[0-9]+)?"
    r"(?P<after>[^0-9]*)"
)
_SPACES: Final = " \u00a0\u2009\u202f"
_QUOTES: Final = "'\u2019"


@dataclass(frozen=True, slots=True)
class Figures:
    """How a column writes its numbers, as one of them shows it.

    `group` stands between thousands ("" for nothing), `point` before the decimals ("" where there are
    none); `before` and `after` are what stands around every number, such as a currency.
    """

    shown: str
    group: str
    point: str
    before: str = ""
    after: str = ""

    @classmethod
    def parse(cls, shown: str) -> Self | None:
        """Read the format that a number shows; None if it shows none.

        Three digits after the only sign are thousands (`1,234`), any other number of them decimals (`0,61`);
        so are three after a lone 0 or four digits before it (`0,123`, `1234,567`).
        """
        match = _SHOWN.fullmatch(shown)
        if match is None:
            return None
        group, point = match["group"] or "", match["point"] or ""
        if match["whole"].startswith("0") and group and not point:
            group, point = "", group
        before, after = match["before"].removesuffix("-"), match["after"]
        if group == point != "" or (point and point not in ".,") or {*before, *after} & set("-.(|"):
            return None
        return cls(shown, group, point, before, after)

    @property
    def pattern(self) -> str:
        """A regular expression of the texts that are written so; its groups: sign, whole part, decimals.

        It holds for Python and for RE2.
        """
        group = _one_of(self.group)
        grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|" if self.group else ""
        decimals = rf"(?:{_one_of(self.point)}([0-9]+))?" if self.point else "()"
        return f"^(-?){re.escape(self.before)}({grouped}[0-9]+){decimals}{re.escape(self.after)}$"

    def plain_all(self, texts: pa.Array) -> pa.Array | None:
        """The same of many texts at once; None unless every one is written so."""
        if not pc.all(pc.match_substring_regex(texts, self.pattern)).as_py():
            return None
        parts = pc.replace_substring_regex(texts, self.pattern, r"\1\2|\3")
        parts = pc.replace_substring_regex(parts, "[^0-9|-]", "")
        return pc.replace_substring(pc.replace_substring_regex(parts, r"\|$", ""), "|", ".")

    def plain(self, text: str) -> str | None:
        """The number as JSON's grammar writes it (leading zeros stay), or None."""
        match = re.search(self.pattern, text, re.ASCII)
        if match is None or text.endswith("\n"):
            return None
        whole = re.sub("[^0-9]", "", match[2])
        return match[1] + whole + (f".{match[3]}" if match[3] else "")


def _one_of(sign: str) -> str:
    """What matches a sign: any space for a space, any apostrophe for an apostrophe."""
    for alike in (_SPACES, _QUOTES):
        if sign and sign in alike:
            return f"[{alike}]"
    return f"[{sign}]" if sign else ""
