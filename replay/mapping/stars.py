"""Owns what may stand behind `"*"`: the other columns, the members of an object, pairs unpacked; or several.

| written | takes |
|---|---|
| `"*"` | every column, or member of a record, that nothing else names |
| `"props.*"` | every member of the object at `props` that nothing else names; its JSON may be a text |
| `{ pairs = "params" }` | the names and values of an array of pairs |
| `[…, …]` | several of these; where two bring the same name to a row, the one written first wins |

Each but the list also as a table: `{ column = "props.*", type = "auto", except = ["email"] }`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from replay.errors import MappingError
from replay.mapping import paths
from replay.mapping.fields import TYPES, TypeName, check_members, column_text, flag, one_of

if TYPE_CHECKING:
    from replay.records import Target

_REST_MEMBERS: Final = ("column", "except", "type", "optional")
_PAIRS_MEMBERS: Final = ("pairs", "except", "type", "optional")

PartKind = Literal["rest", "members", "pairs"]


@dataclass(frozen=True, slots=True)
class Part:
    """One source of many values: `rest` (of the columns), `members` or `pairs` of what stands at `text`.

    `left_out` are the names that are not taken; `type` is cast to; an `optional` object, or a name that is
    left out, may be missing from a source.
    """

    kind: PartKind = "rest"
    text: str = ""
    left_out: tuple[str, ...] = ()
    type: TypeName | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Star:
    """Everything behind one `"*"`; what is written first wins."""

    parts: tuple[Part, ...] = (Part(),)


def parse_star(spec: Any, target: Target, origin: str) -> Star:
    """Read what a mapping writes behind `"*"`."""
    where = f"{origin}: {paths.show(target)}"
    specs = spec if isinstance(spec, list) else [spec]
    if not specs:
        raise MappingError(f'{where}: an empty list takes nothing. Write "*" = "*", or remove the line.')
    return Star(tuple(_parse_part(one, where) for one in specs))


def _parse_part(spec: Any, where: str) -> Part:
    if isinstance(spec, str):
        return _parse_text(spec, where)
    if not isinstance(spec, dict):
        raise MappingError(f'{where}: {spec!r}: write "*", "object.*" or {{ pairs = … }}.')
    is_pairs = "pairs" in spec
    check_members(spec, _PAIRS_MEMBERS if is_pairs else _REST_MEMBERS, where)
    part = (
        Part("pairs", column_text(spec["pairs"], where))
        if is_pairs
        else _parse_text(spec.get("column", "*"), where)
    )
    kind = one_of(spec.get("type"), TYPES, f"{where}: type")
    left_out = spec.get("except", [])
    if not isinstance(left_out, list) or not all(isinstance(name, str) for name in left_out):
        raise MappingError(
            f'{where}: except = {left_out!r}: write a list of names, as in ["email", "phone"].'
        )
    optional = flag(spec, "optional", where)
    return Part(part.kind, part.text, tuple(left_out), kind or part.type, optional)


def _parse_text(text: Any, where: str) -> Part:
    base, colon, kind = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    known = next((name for name in TYPES if colon and name == kind), None)
    text = base if known else text
    if text == "*":
        return Part(type=known)
    if not isinstance(text, str) or not text.endswith(".*") or text == ".*":
        raise MappingError(
            f'{where}: "*" = "*" stands for every other column, "*" = "object.*" for members of an object, '
            f'"*" = {{ pairs = "array" }} for keys and values; {text!r} is none of them.'
        )
    return Part("members", column_text(text.removesuffix(".*"), where), type=known)


def star_document(star: Star) -> Any:
    """The star as a mapping writes it; parsing it gives an equal one."""
    written = [_part_document(part) for part in star.parts]
    return written[0] if len(written) == 1 else written


def _part_document(part: Part) -> Any:
    text = {"rest": "*", "members": f"{part.text}.*", "pairs": part.text}[part.kind]
    name = "pairs" if part.kind == "pairs" else "column"
    members = {
        name: text,
        "type": part.type,
        "except": list(part.left_out) or None,
        "optional": part.optional or None,
    }
    said = {name: value for name, value in members.items() if value is not None}
    return text if len(said) == 1 and part.kind != "pairs" else said
