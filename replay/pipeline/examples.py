"""Examples of failed rows, out of the files that a run left: a few for each reason, with their values."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import ReplayError
from replay.pipeline.record import failed_sources_of
from replay.records import CARRIED, Chunk, Outcome
from replay.report import Example, carried_notes
from replay.source import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Mapping as Dict

    from replay.report import Reason, RunFolder

EXAMPLES_MAX: Final = 3  # of a reason
LOOKED_AT: Final = 20_000  # failed rows that are looked at for examples
VALUES_MAX: Final = 8
VALUE_SHOWN: Final = 80


def examples_of(folder: RunFolder, reasons: Sequence[Dict[str, Any]]) -> dict[Reason, list[Example]]:
    """Some rows of each reason of a run, as far as its files tell of them."""
    wanted = {(one["outcome"], one["status"], one["reason"]) for one in reasons}
    found: dict[Reason, list[Example]] = {}
    for reason, example in _all(folder, wanted):
        known = found.setdefault(reason, [])
        if len(known) < EXAMPLES_MAX:
            known.append(example)
        if len(found) == len(wanted) and all(len(some) == EXAMPLES_MAX for some in found.values()):
            break
    return found


def _all(folder: RunFolder, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
    with suppress(OSError, msgspec.DecodeError):
        yield from _unreadable(folder, wanted)
    looked_at = 0
    for path, read in failed_sources_of(folder):
        with suppress(ReplayError), open_source(Source(path.name, path), read) as reader:
            for chunk in reader:
                yield from _of_chunk(chunk, path.name.removesuffix(".part"), wanted)
                looked_at += len(chunk)
                if looked_at > LOOKED_AT:
                    return


def _of_chunk(chunk: Chunk, name: str, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
    for place, note in enumerate(carried_notes(chunk, range(len(chunk)))):
        status = note.get("status", "")
        reason = (note.get("outcome", ""), int(status) if status.isdigit() else None, note.get("reason", ""))
        if reason in wanted and note.get("row", "").isdigit():
            yield reason, Example(name, int(note["row"]), _values(chunk, place))


def _values(chunk: Chunk, place: int) -> tuple[tuple[str, str], ...]:
    """The first values of a row that are there, by column or by path."""
    if chunk.kind == "table":
        pairs: Iterator[tuple[str, Any]] = zip(chunk.header, chunk.cells(place), strict=True)
    else:
        pairs = _leaves(chunk.record(place))
    shown = [(name, _text(value)) for name, value in pairs if not name.startswith(CARRIED)]
    return tuple((name, value) for name, value in shown if value)[:VALUES_MAX]


def _leaves(record: Dict[str, Any], owner: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict) and not name.startswith(CARRIED):
            yield from _leaves(value, f"{owner}{name}.")
        else:
            yield owner + name, value


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else _as_json(value)
    return text if len(text) <= VALUE_SHOWN else text[:VALUE_SHOWN] + "…"


def _as_json(value: Any) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()


def _unreadable(folder: RunFolder, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
    """The records that could not be read; their file tells the reason without its rule."""
    by_words = {reason[2].partition(": ")[2]: reason for reason in wanted if reason[0] == Outcome.INVALID}
    with folder.unreadable.open("rb") as file:
        for line, _ in zip(file, range(LOOKED_AT), strict=False):
            record = msgspec.json.decode(line)
            if reason := by_words.get(record["reason"]):
                raw = record.get("raw") or record.get("raw_base64") or ""
                values = (("line", f"{record['line']:,}"), ("as it stands", _text(raw)))
                yield reason, Example(record["source"], record["row"], values)
