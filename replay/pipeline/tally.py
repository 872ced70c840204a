"""What the rules found, added up: rows a rule, a few examples of each, event keys and users."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.mapping import user_hashes
from replay.pipeline.sketch import Distinct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Dict

    import numpy as np
    from numpy.typing import NDArray

    from replay.masks import Mask
    from replay.pipeline.stages import Judged
    from replay.records import Chunk, Finding, Unreadable
    from replay.settings import Severity

EXAMPLES_MAX: Final = 5  # examples kept of each rule
VALUE_SHOWN_MAX: Final = 200  # characters of a value that an example shows
EVENT_KEYS_MAX: Final = 10_000  # different event keys counted one by one
EVENT_KEY: Final = ("event", "key")


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule broken by one row at one field."""

    source: str
    row: int
    line: int
    rule: str
    severity: str
    field: str
    value: str
    message: str


@dataclass(slots=True)
class RuleTally:
    """How many rows break a rule, and where to look."""

    rule: str
    severity: str
    rows: int = 0
    examples: list[Problem] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The tally as `check --json` shows it."""
        shown = ("source", "row", "line", "field", "value", "message")
        examples = [{name: getattr(example, name) for name in shown} for example in self.examples]
        return {"rule": self.rule, "severity": self.severity, "rows": self.rows, "examples": examples}


class Tally:
    """Adds up what is found in chunk after chunk."""

    def __init__(self, severities: Dict[str, Severity], mask: Mask) -> None:
        self._severities = severities
        self._mask = mask
        self._hides_keys = mask.covers(".".join(EVENT_KEY))
        self._rules: dict[str, RuleTally] = {}
        self._users = Distinct()
        self.event_keys: dict[str, int] = {}
        self.event_keys_beyond = 0
        self.warned = 0

    def add(self, source: str, judged: Judged, sent: NDArray[np.bool_]) -> None:
        """Add what one chunk holds; `sent` is a mask of the rows whose keys and users count."""
        self._add_findings(source, judged)
        self._add_unreadable(source, judged.chunk.unreadable)
        self._add_event_keys(judged, sent)
        if len(judged.chunk):
            self._users.add(user_hashes(judged.mapped, sent))

    @property
    def users(self) -> int:
        """How many different users the valid rows have."""
        return self._users.count()

    @property
    def estimates(self) -> list[str]:
        """Which counts are estimates, or do not name all."""
        names = {"users": not self._users.exact, "event_keys": self.event_keys_beyond > 0}
        return [name for name, is_estimate in names.items() if is_estimate]

    def problems(self) -> list[RuleTally]:
        """The rules that were broken: errors first, the commonest first."""
        return sorted(self._rules.values(), key=lambda tally: (tally.severity != "error", -tally.rows))

    def invalid_by_rule(self) -> dict[str, int]:
        """Rows of each broken rule that keeps them from being sent."""
        return {tally.rule: tally.rows for tally in self.problems() if tally.severity == "error"}

    def _of(self, rule: str) -> RuleTally:
        return self._rules.setdefault(rule, RuleTally(rule, self._severities[rule]))

    def _add_findings(self, source: str, judged: Judged) -> None:
        rows: dict[str, set[int]] = {}
        for finding in judged.findings:
            rows.setdefault(finding.rule, set()).update(finding.positions)
            examples = self._of(finding.rule).examples
            missing, severity = EXAMPLES_MAX - len(examples), self._severities[finding.rule]
            examples.extend(problems_of(source, judged.chunk, finding, severity, self._mask, missing))
        warned: set[int] = set()
        for rule, places in rows.items():
            self._of(rule).rows += len(places)
            if self._severities[rule] == "warning":
                warned |= places
        self.warned += sum(1 for place in warned if not judged.invalid[place])

    def _add_unreadable(self, source: str, records: tuple[Unreadable, ...]) -> None:
        for record in records:
            tally = self._of(record.rule)
            tally.rows += 1
            if len(tally.examples) < EXAMPLES_MAX:
                tally.examples.append(problem_of_unreadable(source, record, self._mask))

    def _add_event_keys(self, judged: Judged, sent: NDArray[np.bool_]) -> None:
        keys = judged.mapped.columns.get(EVENT_KEY)
        if keys is None:
            return
        counted = keys if sent.all() else keys[sent[keys.index]]
        for found, rows in counted.value_counts().items():
            key = self._mask.hash(found) if self._hides_keys else str(found)
            if key in self.event_keys or len(self.event_keys) < EVENT_KEYS_MAX:
                self.event_keys[key] = self.event_keys.get(key, 0) + int(rows)
            else:
                self.event_keys_beyond += int(rows)


def problems_of(
    source: str, chunk: Chunk, finding: Finding, severity: str, mask: Mask, most: int | None = None
) -> Iterator[Problem]:
    """Each row that a finding names, as a problem of its own, without the values that are masked."""
    for place, value in zip(finding.positions[:most], finding.values[:most], strict=True):
        yield Problem(
            source,
            int(chunk.rows[place]),
            int(chunk.lines[place]),
            finding.rule,
            severity,
            finding.field,
            shown_value(mask.shown(finding.field, value)),
            finding.message,
        )


def problem_of_unreadable(source: str, record: Unreadable, mask: Mask) -> Problem:
    """A record that could not be read, as a problem; where anything is masked all of it is."""
    value = shown_value(mask.shown("", record.raw.decode("utf-8", errors="backslashreplace")))
    return Problem(source, record.row, record.line, record.rule, "error", "", value, record.reason)


def shown_value(value: Any) -> str:
    """A value as text, cut short; a missing one is nothing."""
    text = value if isinstance(value, str) else "" if value is None else _as_json(value)
    return text if len(text) <= VALUE_SHOWN_MAX else text[:VALUE_SHOWN_MAX] + "…"


def _as_json(value: Any) -> str:
    return msgspec.json.Encoder(decimal_format="number").encode(value).decode()
