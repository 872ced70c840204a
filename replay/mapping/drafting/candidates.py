"""Owns the columns that a draft may use, and what each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.mapping import paths
from replay.mapping.drafting import names
from replay.mapping.drafting.evidence import Evidence
from replay.mapping.drafting.scan import look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.mapping.drafting.scan import Path, Scan
    from replay.records import Mapped

_AVRO: Final = frozenset(("string", "boolean", "int", "long", "float", "double"))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column or a member with values: `text` as a mapping writes it, `name` its own, `owner` what it is in.

    `is_everywhere`: no source that was looked at lacks it.
    """

    path: Path
    text: str
    evidence: Evidence
    is_everywhere: bool = True

    @property
    def name(self) -> str:
        """Its own name; of `{"string": …}`, as Avro is written in JSON, the name above."""
        return self._named[-1]

    @property
    def owner(self) -> str:
        """The name of the object that it is in, without what divides its words; nothing at the top."""
        return names.plain(self._named[-2]) if len(self._named) > 1 else ""

    @property
    def _named(self) -> Path:
        return self.path[:-1] if len(self.path) > 1 and self.path[-1] in _AVRO else self.path

    def __lt__(self, other: Candidate) -> bool:
        return len(self.path) < len(other.path)  # of two that are named alike, the one less deep comes first

    def personal(self) -> str | None:
        """What of a person its values are, by themselves or by its name; None for nothing that is seen."""
        kinds, also, rows = self.evidence.kinds, self.evidence.also, self.evidence.present
        if kinds["resident number"] or (also["resident number"] == rows and also["milliseconds"] < rows):
            return "a resident number"
        if kinds["e-mail"]:
            return "an e-mail address"
        if (kinds["phone"] + also["phone"]) * 2 > rows:
            return "a phone number"
        return names.personal(self.name)


def personal_in(mapped: Mapped) -> Iterator[tuple[str, str]]:
    """The targets that a mapping fills with personal data, as far as can be seen, and what it is."""
    for target, column in mapped.columns.items():
        evidence = Evidence()
        look(evidence, column)
        what = Candidate(target[-1:], "", evidence).personal() if target != ("event", "key") else None
        if what is not None:
            yield paths.show(target), what


def candidates_of(scan: Scan) -> Iterator[Candidate]:
    """The columns that have values, in the order in which they come."""
    for path, evidence in scan.evidence.items():
        if evidence.present and unnameable(path) is None and path[0] not in scan.unusable:
            text = paths.show(path) if scan.kind == "records" else path[0]
            everywhere = scan.kind == "records" or scan.seen_in[path] == scan.sources
            yield Candidate(path, text, evidence, everywhere)


def unnameable(path: Path) -> str | None:
    """Why no mapping can name a column; None if it can."""
    if any(name == "" for name in path):
        return "an empty name"
    if path[-1] == "*":
        return "the name * stands for every other column"
    if any(name.endswith("\\") for name in path[:-1]):
        return "a backslash before a dot"
    return None


def best(candidates: Iterable[Candidate], known: tuple[str, ...]) -> Candidate | None:
    """The candidate whose name stands highest among those known, and has texts or whole numbers."""
    ranked = [(names.rank(one.name, known), one) for one in candidates if _can_be_text(one.evidence)]
    named = sorted((place, one) for place, one in ranked if place is not None)
    return named[0][1] if named else None


def _can_be_text(evidence: Evidence) -> bool:
    structured = evidence.types["boolean"] + evidence.types["object"]
    structured += evidence.types["objects"] + evidence.types["array"]
    return not structured and not evidence.kinds["object"] and not evidence.kinds["array"]
