"""Examples of failed rows, out of the files that a run left: a few for each reason, with their values."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import ReplayError
from replay.pipeline.record import failed_sources_of
from replay.reasons import group_without, normalised
from replay.records import CARRIED, Chunk, Outcome
from replay.report import Example, carried_notes, short
from replay.source import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Mapping as Dict

    from replay.masks import Mask
    from replay.report import Reason, RunFolder

EXAMPLES_MAX: Final = 3  # of a reason
REASONS_MAX: Final = 50  # reasons that examples are looked for of
_FAILED: Final = frozenset({Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.AMBIGUOUS, Outcome.INVALID})
LOOKED_AT: Final = 20_000  # failed rows that are looked at for examples
VALUES_MAX: Final = 8
VALUE_SHOWN: Final = 80


class Examples:
    """Some rows of each reason of a run, as far as its files tell of them, without what is masked."""

    def __init__(self, folder: RunFolder, mask: Mask) -> None:
        self._folder = folder
        self._mask = mask
        self._words: dict[Reason, str] = {}
        self.found: dict[Reason, list[Example]] = {}

    def look_for(self, reasons: Sequence[Dict[str, Any]]) -> None:
        """Find examples of these reasons, as a summary lists them."""
        wanted = {reason for one in reasons[:REASONS_MAX] if (reason := _reason(one))[0] in _FAILED}
        missing = EXAMPLES_MAX * len(wanted)
        for reason, example in self._all(wanted):
            known = self.found.setdefault(self._shown(reason), [])
            if len(known) < EXAMPLES_MAX:
                known.append(example)
                missing -= 1
            if not missing:
                break

    def masked(self, reasons: Sequence[Dict[str, Any]]) -> list[dict[str, Any]]:
        """The same reasons, without the values that rows of them have and the words quote."""
        return [{**one, "reason": self._words.get(_reason(one), one["reason"])} for one in reasons]

    def _shown(self, reason: Reason) -> Reason:
        return reason[0], reason[1], self._words.get(reason, reason[2])

    def _all(self, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
        if not wanted:
            return
        with suppress(OSError, msgspec.DecodeError):
            yield from self._unreadable(wanted)
        looked_at = 0
        for path, read in failed_sources_of(self._folder):
            with suppress(ReplayError), open_source(Source(path.name, path), read) as reader:
                for chunk in reader:
                    yield from self._of_chunk(chunk, path.name.removesuffix(".part"), wanted)
                    looked_at += len(chunk)
                    if looked_at > LOOKED_AT:
                        return

    def _of_chunk(self, chunk: Chunk, name: str, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
        for place, note in enumerate(carried_notes(chunk, range(len(chunk)))):
            status = note.get("status", "")
            number = int(status) if status.isdigit() else None
            own = (note.get("outcome", ""), number, note.get("reason", ""))
            reason = own if own in wanted else _group(own, chunk, place)
            if reason in wanted and note.get("row", "").isdigit():
                yield reason, Example(name, int(note["row"]), self._values(chunk, place, reason))

    def _values(self, chunk: Chunk, place: int, reason: Reason) -> tuple[tuple[str, str], ...]:
        """The first values of a row that are there; those that are masked leave the reason's words too."""
        values = [(column, text, self._hides(chunk, column)) for column, text in _texts(chunk, place) if text]
        if self._mask and reason not in self._words:
            quoted = {text for _, text, is_hidden in values if is_hidden}
            self._words[reason] = self._mask.words(reason[2], quoted)
        return tuple(
            (column, self._mask.hash(text) if is_hidden else short(text, VALUE_SHOWN))
            for column, text, is_hidden in values[:VALUES_MAX]
        )

    def _hides(self, chunk: Chunk, column: str) -> bool:
        if chunk.kind == "table":
            return column in self._mask.columns
        return self._mask.covers(column, whole=False)

    def _unreadable(self, wanted: set[Reason]) -> Iterator[tuple[Reason, Example]]:
        """The records that could not be read; their file tells the reason without its rule."""
        by_words = {reason[2].partition(": ")[2]: reason for reason in wanted}
        with self._folder.unreadable.open("rb") as file:
            for line, _ in zip(file, range(LOOKED_AT), strict=False):
                record = msgspec.json.decode(line)
                if reason := by_words.get(record["reason"]):
                    raw = record.get("raw") or record.get("raw_base64") or ""
                    stands = self._mask.hash(raw) if self._mask else short(raw, VALUE_SHOWN)
                    values = (("line", f"{record['line']:,}"), ("as it stands", stands))
                    yield reason, Example(record["source"], record["row"], values)


def _reason(one: Dict[str, Any]) -> Reason:
    return one["outcome"], one["status"], one["reason"]


def _group(reason: Reason, chunk: Chunk, place: int) -> Reason:
    """The reason of a row as a summary lists it together with those of others."""
    outcome, status, words = reason
    values = (text for _, text in _texts(chunk, place))
    return outcome, status, group_without(words, values) or normalised(words)


def _texts(chunk: Chunk, place: int) -> Iterator[tuple[str, str]]:
    """The values of a row, by column or by path."""
    if chunk.kind == "table":
        pairs: Iterator[tuple[str, Any]] = zip(chunk.header, chunk.cells(place), strict=True)
    else:
        pairs = _leaves(chunk.record(place))
    return ((name, _text(value)) for name, value in pairs if not name.startswith(CARRIED))


def _leaves(record: Dict[str, Any], owner: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict) and not name.startswith(CARRIED):
            yield from _leaves(value, f"{owner}{name}.")
        else:
            yield owner + name, value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.Encoder(decimal_format="number").encode(value).decode()
