"""Owns the draft as a whole: a place for every column, or the reason why it has none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from replay.mapping import paths, presets
from replay.mapping.drafting import names
from replay.mapping.drafting.candidates import Candidate, best, candidates_of, unnameable
from replay.mapping.drafting.clocks import PROPERTY, Clock, propose_time
from replay.mapping.drafting.kinds import kind_of
from replay.mapping.drafting.writing import Line, clean, inline, table, text
from replay.mapping.itself import header_target
from replay.mapping.sourcing import reading_document
from replay.mapping.unpacking import pairs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.mapping.drafting.scan import Scan
    from replay.records import Target
    from replay.settings import ReadSettings

NAME_MAX: Final = 128  # of a property, as the API takes it
_OF_USER: Final = frozenset(
    ("userproperties", "usertraits", "traits", "profile", "profiledata", "user", "member")
)
_EVENT, _USER = ("event",), ("user",)
_PROPERTIES, _IDENTIFIERS = ("event", "properties"), ("user", "identifiers")
_USER_PROPERTIES = ("user", "properties")


@dataclass(slots=True)
class Draft:
    """A mapping as text, and what a person should know of it: `notes`, one a line."""

    text: str
    notes: list[str] = field(default_factory=list)


def from_preset(name: str, about: str, read: ReadSettings) -> Draft:
    """A preset as a draft; `about` says what it was made for."""
    document = "" if "[source]" in presets.text(name) else _source_table(read)
    return Draft(f"# {clean(about)}\n{presets.text(name)}" + (f"\n{document}" if document else ""))


def drafted(scan: Scan, about: str, read: ReadSettings) -> Draft:
    """The draft of a mapping for what was scanned; `about` says what that was."""
    drafting = _Drafting(scan)
    drafting.choose()
    tables = [_source_table(read), *drafting.tables(), drafting.time_table(), drafting.left_out_list()]
    written = "\n".join(part for part in tables if part)
    return Draft(
        f"# {clean(about)}\n# Read it and mend it: nothing here is certain.\n\n{written}", drafting.notes
    )


def _source_table(read: ReadSettings) -> str:
    said = reading_document(read)
    return table("[source]", [Line(name, _value(one)) for name, one in said.items()]) if said else ""


def _value(one: Any) -> str:
    return f"[{', '.join(map(text, one))}]" if isinstance(one, list) else text(one)


class _Drafting:
    """A draft in the making: lines by table, what is left out and why, notes."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._lines: dict[Target, list[Line]] = {
            owner: [] for owner in (_EVENT, _PROPERTIES, _USER, _IDENTIFIERS, _USER_PROPERTIES)
        }
        self._stars: dict[Target, list[str]] = {_PROPERTIES: [], _USER_PROPERTIES: []}
        self._clock: Clock | None = None
        self._left_out: dict[str, str] = dict(scan.unusable)
        self.notes: list[str] = []

    def choose(self) -> None:
        """Find a place for every column."""
        for path, evidence in self._scan.evidence.items():
            if not evidence.present and path[0] not in self._left_out:
                self._left_out[".".join(path)] = "no value in any row"
            elif (why := unnameable(path)) is not None:
                self._left_out[".".join(path)] = why
        left = list(candidates_of(self._scan))
        left = self._choose_by_header(left)
        of_event = names.EVENT_OF_RECORD if self._scan.kind == "records" else names.EVENT
        left = self._choose_single(left, _EVENT, "key", of_event)
        left = self._choose_single(left, _USER, "userId", names.USER)
        left = self._choose_single(left, _USER, "deviceId", names.DEVICE)
        left = self._choose_time(left)
        taken = Counter(one.name for one in left)
        for one in left:
            self._place(one, one.name if taken[one.name] == 1 else "_".join(one.path))
        self._say_what_is_missing()

    def _choose_by_header(self, left: list[Candidate]) -> list[Candidate]:
        """Headers that are the API's own paths say themselves where they go."""
        others = []
        for one in left:
            found = header_target(one.name) if self._scan.kind == "table" else None
            if found is None:
                others.append(one)
                continue
            target, kind = found
            source = inline({"column": one.text, "type": kind}) if kind else text(one.text)
            self._lines[target[:-1]].append(Line(target[-1], source, kind_of(one.name, one.evidence).remark))
        return others

    def _has(self, owner: Target, name: str) -> bool:
        return any(line.name == name and not line.off for line in self._lines[owner])

    def _choose_single(
        self, left: list[Candidate], owner: Target, name: str, known: tuple[str, ...]
    ) -> list[Candidate]:
        chosen = None if self._has(owner, name) else best(left, known)
        if chosen is None:
            return left
        remark = kind_of("id", chosen.evidence).remark
        if what := chosen.personal() if owner == _USER else None:
            remark += f"; personal data: {what}"
            self.notes.append(
                f"{chosen.text} as {'.'.join(owner)}.{name} is {what}: send another id if you can."
            )
        self._lines[owner].append(Line(name, self._source(chosen), remark))
        return [one for one in left if one is not chosen]

    def _choose_time(self, left: list[Candidate]) -> list[Candidate]:
        self._clock = clock = propose_time(left)
        if clock is not None and not clock.is_ready:
            self.notes.append(f"The time {clock.candidate.text} goes out as it is: {clock.remark}.")
        return [one for one in left if clock is None or not clock.is_ready or one is not clock.candidate]

    def _source(self, one: Candidate, kind: str | None = None, form: str | None = None) -> str:
        """What stands behind a target, as short as can be."""
        if form is None and one.is_everywhere:
            ambiguous = kind is None and ":" in one.text
            return (
                text(one.text if kind is None else f"{one.text}:{kind}") if not ambiguous else self._long(one)
            )
        return self._long(one, kind, form)

    def _long(self, one: Candidate, kind: str | None = None, form: str | None = None) -> str:
        members = {
            "column": one.text,
            "type": kind,
            "format": form,
            "optional": not one.is_everywhere or None,
        }
        return inline({name: value for name, value in members.items() if value is not None})

    def _place(self, one: Candidate, name: str) -> None:
        kind = kind_of(one.name, one.evidence)
        owner, name = self._owner_of(one, name, is_number=kind.type == "number" or _is_number(one))
        if self._is_structured(one, owner):
            return
        what = one.personal()
        remark = kind.remark
        if what is not None:
            remark = f"personal data: {what}; it is left out unless you take away the #"
            self.notes.append(f"{one.text} is left out, for it is personal data: {what}.")
        elif len(name) > NAME_MAX:
            self._left_out[one.text] = f"a name of more than {NAME_MAX} characters; give it a shorter one"
            return
        source = self._source(one, kind.type, kind.format)
        self._lines[owner].append(Line(name, source, remark, off=what is not None))

    def _owner_of(self, one: Candidate, name: str, *, is_number: bool) -> tuple[Target, str]:
        if one.owner == "identifiers":
            return _IDENTIFIERS, one.name
        if names.rank(one.name, names.SESSION) is not None and not self._has(_IDENTIFIERS, "sessionId"):
            return _IDENTIFIERS, "sessionId"
        if names.rank(one.name, names.VALUE) is not None and is_number and not self._has(_EVENT, "value"):
            return _EVENT, "value"
        if names.plain(one.name) in names.OF_USER or one.owner in _OF_USER:
            return _USER_PROPERTIES, name
        return _PROPERTIES, name

    def _is_structured(self, one: Candidate, owner: Target) -> bool:
        """Whether a column holds objects or arrays of them: unpacked if it can be, else left out."""
        evidence = one.evidence
        star = (
            _USER_PROPERTIES
            if owner == _USER_PROPERTIES or names.plain(one.name) in _OF_USER
            else _PROPERTIES
        )
        if evidence.kinds["object"] + evidence.types["object"] == evidence.present:
            self._stars[star].append(text(f"{one.text}.*"))
        elif evidence.kinds["array"] + evidence.types["objects"] == evidence.present:
            if pairs_of(paths.opened(evidence.sample)) is None:
                self._left_out[one.text] = "arrays of objects, which the API does not take"
            else:
                self._stars[star].append(inline({"pairs": one.text}))
        elif evidence.types["object"] or evidence.types["objects"]:
            self._left_out[one.text] = "objects among other values"
        else:
            return False
        return True

    def _say_what_is_missing(self) -> None:
        if not self._has(_EVENT, "key"):
            self._lines[_EVENT].insert(
                0,
                Line(
                    "key",
                    inline({"const": "…"}),
                    "no column looks like an event's name: say it here",
                    off=True,
                ),
            )
            self.notes.append("No column looks like an event's name: write the event's key into the mapping.")
        if not self._has(_USER, "userId") and not self._has(_USER, "deviceId"):
            self._lines[_USER].insert(
                0, Line("userId", text("…"), "no column looks like a user's id: name it here", off=True)
            )
            self.notes.append("No column looks like a user's or a device's id: name one in the mapping.")

    def tables(self) -> Iterator[str]:
        """The tables of targets that have lines."""
        for owner, lines in self._lines.items():
            stars = self._stars.get(owner, [])
            star = Line(
                "*", stars[0] if len(stars) == 1 else f"[{', '.join(stars)}]", "their members, unpacked"
            )
            written = sorted(lines, key=lambda line: line.off) + ([star] if stars else [])
            if written or owner in (_EVENT, _USER):
                yield table(f"[{'.'.join(owner)}]", written)

    def time_table(self) -> str:
        """The `[time]` table, commented out where a person must say something first."""
        clock = self._clock
        if clock is None:
            return ""
        members = {**clock.members, "property": PROPERTY}
        if clock.is_ready:
            first, *others = (Line(name, text(one)) for name, one in members.items())
            return table("[time]", [Line(first.name, first.value, clock.remark), *others])
        lines = [Line(name, text(one), off=True) for name, one in members.items()]
        return table(f"# {clean(clock.remark)}:\n# [time]", lines)

    def left_out_list(self) -> str:
        """What has no place, and why, as comments."""
        if not self._left_out:
            return ""
        return table("# Left out:", [f"#   {clean(name)}: {why}" for name, why in self._left_out.items()])


def _is_number(one: Candidate) -> bool:
    return one.evidence.types["number"] == one.evidence.present
