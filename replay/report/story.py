"""What the report of a run says, before it is dressed: the verdict, counts that add up, what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from replay.report.summary import failed_rows, odd_words, unreadable_rows, way_on
from replay.report.text import plural, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from replay.report.course import Course

REASONS_SHOWN: Final = 20
OUTCOMES: Final = {
    "delivered": "Hackle answered 2xx.",
    "rejected": "Refused for good, with a 4xx answer of its own.",
    "exhausted": "Known not accepted, and the retries are used up.",
    "ambiguous": "May have arrived: the request left, and no trustworthy answer came.",
    "invalid": "Never sent: unreadable, unmappable, or against a rule.",
    "skipped": "Left out on purpose.",
    "pending": "Not tried yet, because the run stopped.",
}
FAILED: Final = ("rejected", "exhausted", "ambiguous", "invalid")
CAUSES: Final = {
    "delivered-before": "delivered by an earlier run",
    "same-content": "the same content twice in this run",
    "where": "left out by the mapping's [where]",
    "limit": "beyond --limit",
    "sample": "outside --sample-users",
}
_STOPS: Final = {
    "auth": "the API key was refused",
    "outage": "the destination did not answer",
    "max-failures": "too many rows failed",
    "destination": "the destination refused every row",
    "source": "a source could not be read, or changed",
    "storage": "the run could not be written down",
}

Reason = tuple[str, int | None, str]
"""(outcome, status, reason)"""


@dataclass(frozen=True, slots=True)
class Example:
    """A row that failed: where it stands, and some of its values by column."""

    source: str
    row: int
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that ended for the same reason."""

    outcome: str
    status: int | None
    reason: str
    rows: int
    examples: Sequence[Example] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do next: why, and what to type."""

    words: str
    command: str


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a run: its summary and record, as they stand on the disk, and its course.

    `typed`, `typed_resend`, `typed_unreadable`: what names the run, or its unreadable rows, in a command.
    `standing`: `killed` where it was, `live` while it is at work. `masked`: the fields whose values are
    hashed. `remarks`: what could not be found out.
    """

    summary: Mapping[str, Any]
    record: Mapping[str, Any]
    course: Course
    typed: str
    examples: Mapping[Reason, Sequence[Example]] = field(default_factory=dict)
    standing: str = ""
    masked: Sequence[str] = ()
    remarks: Sequence[str] = ()
    typed_resend: str = ""
    typed_unreadable: str = ""

    @property
    def rows(self) -> dict[str, int]:
        """Rows by outcome; all 0 where nothing is known."""
        known = self.summary.get("rows") or {}
        return {name: int(known.get(name, 0)) for name in ("read", *OUTCOMES)}

    @property
    def failed(self) -> int:
        """Rows that did not arrive, or of which nobody knows."""
        return sum(self.rows[name] for name in FAILED)


def verdict(told: Told) -> str:
    """How it went, in one sentence."""
    rows = told.rows
    arrived = _arrived(rows)
    if told.standing == "live":
        return f"Still running: {arrived} so far, {rows['pending']:,} to go."
    if broken_off := _broken_off(told):
        return f"{broken_off}: {arrived}, {_pending(rows)}."
    if rows["delivered"] + rows["skipped"] == rows["read"]:
        return _all_well(rows)
    doubt = f", of which {rows['ambiguous']:,} may have arrived all the same" if rows["ambiguous"] else ""
    return f"{arrived[0].upper()}{arrived[1:]}; {told.failed:,} did not get through{doubt}."


def _broken_off(told: Told) -> str | None:
    """How a run ended before its end; None if it did not."""
    if told.standing == "killed":
        return "The run was killed"
    if told.summary.get("state") == "interrupted":
        return "The run was interrupted"
    if told.summary.get("state") == "stopped":
        return (
            f"The run stopped because {_STOPS.get(str(told.summary.get('stopped_by')), 'an error ended it')}"
        )
    return None


def _all_well(rows: Mapping[str, int]) -> str:
    if not rows["read"]:
        return "There was no row to send."
    if not rows["skipped"]:
        return (
            "The one row was delivered."
            if rows["read"] == 1
            else f"All {rows['read']:,} rows were delivered."
        )
    if not rows["delivered"]:
        return f"Nothing was sent: all {plural(rows['skipped'], 'row')} were left out on purpose."
    left = f"{rows['skipped']:,} {'was' if rows['skipped'] == 1 else 'were'} left out on purpose"
    return f"All {plural(rows['delivered'], 'row')} to send were delivered; {left}."


def _arrived(rows: Mapping[str, int]) -> str:
    were = "was" if rows["delivered"] == 1 else "were"
    return f"{rows['delivered']:,} of {plural(rows['read'], 'row')} {were} delivered"


def _pending(rows: Mapping[str, int]) -> str:
    return f"{rows['pending']:,} {'is' if rows['pending'] == 1 else 'are'} pending"


def tone(told: Told) -> str:
    """What colour the verdict has: good, mixed, bad, or open."""
    if told.standing == "live":
        return "open"
    if told.summary.get("state") != "finished":
        return "bad"
    return "mixed" if told.failed else "good"


def standing(told: Told) -> str:
    """The state of the run, in a word or two."""
    if told.standing:
        return {"live": "running", "killed": "killed"}[told.standing]
    state, cause = str(told.summary.get("state", "unknown")), told.summary.get("stopped_by")
    return f"{state} by {cause}" if cause else state


def facts(told: Told) -> list[tuple[str, list[str]]]:
    """What was sent, where, how and when: a name, and its lines."""
    record, summary = told.record, told.summary
    found = [
        ("Target", [_target(record)]),
        ("Files", [_source(source) for source in record.get("sources", [])]),
        ("Mapping", list(_mapping(record.get("mapping")))),
        ("Started", [_moment(record.get("started"))]),
        ("Duration", [_duration(told)]),
        ("Requests", [_requests(summary)]),
        ("Pace", [_pace(record.get("settings", {}), summary)]),
        ("Run", [str(summary.get("run") or record.get("run", "")), str(record.get("command", ""))]),
    ]
    return [(name, lines) for name, lines in found if any(lines)]


def _target(record: Mapping[str, Any]) -> str:
    if record.get("url") == "sandbox":
        return "an embedded sandbox: nothing left the machine"
    return str(record.get("url", ""))


def _source(source: Mapping[str, Any]) -> str:
    how = ", ".join(str(source[name]) for name in ("format", "compression") if source.get(name))
    return f"{source.get('name')} ({how}): {plural(int(source.get('rows', 0)), 'row')}"


def _mapping(document: Mapping[str, Any] | None) -> Iterator[str]:
    if document is None:
        yield "the rows map themselves"
        return
    for table in ("event", "user"):
        for name, spec in document.get(table, {}).items():
            nested = name in ("properties", "identifiers")
            for inner, source in spec.items() if nested else [(None, spec)]:
                place = ".".join(part for part in (table, name, inner) if part)
                yield f"{place} ← {_spec(source)}"
    for condition in document.get("where", ()):
        test = ", ".join(f"{name} {_words(value)}" for name, value in condition.items() if name != "column")
        yield f"only where {condition.get('column')}: {test}"
    if time := document.get("time"):
        carried = f", carried as event.properties.{time['property']}" if "property" in time else ""
        yield f"time ← {time.get('column')}{carried}"


def _spec(source: Any) -> str:
    if isinstance(source, str):
        return "every other column" if source == "*" else source
    if isinstance(source, list):
        return "; ".join(map(_spec, source))
    if not isinstance(source, dict):
        return str(source)
    if "const" in source:
        return f"always {source['const']!r}"
    if "replay" in source:
        return "the row's id"
    first = source.get("column") or source.get("pairs") or " and ".join(source.get("join", ()))
    extras = ", ".join(
        f"{name} {_words(value)}" for name, value in source.items() if name not in ("column", "pairs", "join")
    )
    shown = "every other column" if first == "*" else str(first)
    return f"{shown} ({extras})" if extras else shown


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _moment(text: Any) -> str:
    return str(text).replace("T", " ").replace("+00:00", " UTC") if text else ""


def _duration(told: Told) -> str:
    legs, seconds = len(told.course.whole.legs), told.course.whole.seconds
    whole = float(told.summary.get("seconds", 0.0))
    if legs > 1:
        return f"{span(seconds)} of sending, in {legs} legs"
    return span(max(seconds, whole))


def _requests(summary: Mapping[str, Any]) -> str:
    requests, retries = int(summary.get("requests", 0)), int(summary.get("retries", 0))
    return f"{requests:,}, {retries:,} of them retries" if retries else f"{requests:,}"


def _pace(settings: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    mean = float(summary.get("rows_per_second", 0.0))
    limit = settings.get("rate")
    allowed = "no limit" if limit == "none" else f"limit {limit}"
    most = f"at most {settings.get('concurrency')} requests in flight"
    return f"{mean:,.1f} rows/s on average; {allowed}, {most}" if limit else f"{mean:,.1f} rows/s on average"


def groups(told: Told) -> list[Group]:
    """Why rows did not arrive, the commonest first; all but the first REASONS_SHOWN together."""
    listed = [one for one in told.summary.get("reasons") or () if one["outcome"] in FAILED]
    shown = [
        Group(one["outcome"], one["status"], one["reason"], one["rows"], _examples(told, one))
        for one in listed[:REASONS_SHOWN]
    ]
    rest = listed[REASONS_SHOWN:]
    if rest:
        words = f"{plural(len(rest), 'other reason')}; the failed files hold them all"
        shown.append(Group("", None, words, sum(one["rows"] for one in rest)))
    return shown


def odd(told: Told) -> list[str]:
    """What is odd about delivered rows, if anything is."""
    reasons = told.summary.get("reasons") or ()
    return [odd_words(one) for one in reasons if one["outcome"] == "delivered"]


def _examples(told: Told, one: Mapping[str, Any]) -> Sequence[Example]:
    return told.examples.get((one["outcome"], one["status"], one["reason"]), ())


def skipped(told: Told) -> list[tuple[str, int]]:
    """Rows that were left out on purpose, by cause in words."""
    return [
        (CAUSES.get(one["reason"], one["reason"]), one["rows"])
        for one in told.summary.get("reasons") or ()
        if one["outcome"] == "skipped"
    ]


def steps(told: Told) -> list[Step]:
    """What to do next, the most urgent first."""
    rows, run = told.rows, told.typed
    found: list[Step] = []
    if told.standing == "live":
        return [Step("This report shows the run as it stood. To write it anew:", f"replay report {run}")]
    if rows["pending"]:
        found.append(
            Step(
                f"{plural(rows['pending'], 'row')} not tried yet. {way_on(told.summary.get('stopped_by'))}:",
                f"replay resume {run}",
            )
        )
    failed = failed_rows(told.summary)
    if failed and (told.summary.get("files") or {}).get("failed", True):
        found.append(
            Step(
                f"Fix the {plural(failed, 'failed row')} in the failed files, or leave them; send again:",
                f"replay resend {told.typed_resend or run}",
            )
        )
    unreadable = (told.summary.get("files") or {}).get("unreadable")
    if unreadable and (rows_there := unreadable_rows(told.summary)):
        found.append(
            Step(
                f"Fix `raw` of the {plural(rows_there, 'unreadable row')} in {unreadable}; send them:",
                f"replay resend {told.typed_unreadable or unreadable}",
            )
        )
    if rows["ambiguous"]:
        found += _doubts(rows["ambiguous"], run, told.typed_resend or run)
    return found


def _doubts(ambiguous: int, run: str, resent: str) -> list[Step]:
    count = plural(ambiguous, "ambiguous row")
    return [
        Step(f"If you find the {count} in Hackle's data, say so:", f"replay settle {run} --as delivered"),
        Step("If you find that they are not there:", f"replay settle {run} --as undelivered"),
        Step(
            "To send them again without knowing, at the risk of a second copy of each:",
            f"replay resend {resent} --only ambiguous",
        ),
    ]
