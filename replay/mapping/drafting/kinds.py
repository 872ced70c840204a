"""Owns the type that a column gets, and why: a number or a boolean only where every value is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from replay.mapping.drafting import names
from replay.mapping.drafting.evidence import NUMBERS_FOR_PEOPLE
from replay.mapping.drafting.writing import count

if TYPE_CHECKING:
    from replay.mapping.drafting.evidence import Evidence
    from replay.mapping.fields import TypeName

_SEVERAL = "numbers are written in several ways, so string"


@dataclass(frozen=True, slots=True)
class Kind:
    """A type, how its numbers are written if not as JSON writes them, and what was seen, in words."""

    type: TypeName | None
    remark: str
    format: str | None = None


def kind_of(name: str, evidence: Evidence) -> Kind:
    """The type of a column of this name with these values."""
    if evidence.types:
        return Kind(None, _seen(evidence))
    numbers = evidence.kinds["integer"] + evidence.kinds["decimal"]
    if numbers == evidence.present:
        return _numbers(name, evidence)
    if evidence.kinds["boolean"] + evidence.also["0 or 1"] == evidence.present:
        return Kind("boolean", f"{count(evidence.present, 'time')} true or false, yes or no, 1 or 0")
    if evidence.all_of("integer", "decimal", *NUMBERS_FOR_PEOPLE):
        return _for_people(name, evidence)
    if numbers * 2 > evidence.present:
        return Kind(None, f"{numbers:,} numbers and {evidence.present - numbers:,} other texts, so string")
    return Kind(None, _seen(evidence))


def _numbers(name: str, evidence: Evidence) -> Kind:
    counted = count(evidence.present, "number")
    for what, words in (("leading zero", "with 0 in front"), ("long", "of more than 15 digits")):
        if evidence.also[what]:
            return Kind(None, f"{counted}; {evidence.also[what]:,} {words}, so string")
    if names.is_of_id(name):
        return Kind(None, f"{counted}, but by its name an id or a code, so string")
    if evidence.also["0 or 1"] == evidence.present and names.words(name)[:1] in (["is"], ["has"]):
        return Kind("boolean", f"{count(evidence.present, 'time')} 0 or 1")
    return Kind("number", counted)


def _for_people(name: str, evidence: Evidence) -> Kind:
    """Numbers with signs between their digits: a format, where all of them can be written in one."""
    written = {kind for kind in NUMBERS_FOR_PEOPLE if evidence.kinds[kind]}
    counted = count(evidence.present, "number")
    if names.is_of_id(name) or evidence.also["leading zero"]:
        return Kind(None, f"{counted}, by the name or by leading zeros an id or a code, so string")
    if written <= {"1,234", "1,234.56"}:
        has_decimals = "1,234.56" in written or evidence.kinds["decimal"]
        form = "1,234.56" if has_decimals else "1,234"
        doubt = "" if has_decimals else '; if the comma is a decimal point, write format = "0,123"'
        return Kind("number", f"{counted}, {_like(evidence, written)}{doubt}", form)
    if written <= {"1.234,56", "1.234.567", "0,61"} and not evidence.kinds["decimal"]:
        form = next(iter(written)) if len(written) == 1 else "1.234,56"
        return Kind("number", f"{counted}, {_like(evidence, written)}", form)
    return Kind(None, f"{counted}, {_like(evidence, written)}: {_SEVERAL}")


def _like(evidence: Evidence, written: set[str]) -> str:
    found = [f"{evidence.kinds[kind]:,} like {kind}" for kind in NUMBERS_FOR_PEOPLE if kind in written]
    return " and ".join(found)


def _seen(evidence: Evidence) -> str:
    """The values of a column, counted: what most of them are, in words."""
    parts = [count(rows, _TYPES[kind]) for kind, rows in evidence.types.most_common()]
    if evidence.texts:
        several = len(evidence.distinct) < min(evidence.texts, 100) and not evidence.types
        different = f", {len(evidence.distinct):,} different" if several else ""
        parts.append(count(evidence.texts, "text") + different)
    return " and ".join(parts)


_TYPES = {
    "number": "number",
    "boolean": "boolean",
    "array": "array",
    "object": "object",
    "objects": "array of objects",
}
