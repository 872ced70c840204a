"""What people see: plans, tables, the progress of a run, and the JSON twin of each.

Standard output is data, standard error is talk. Whatever comes from files or from the destination
is cleaned of terminal controls before it is shown.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from replay import hackle
from replay.settings import show_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from replay.pipeline import CheckResult, Observer, Plan, Progress, RuleTally
    from replay.pipeline.plan import Watch
    from replay.report import Summary
    from replay.rules import Rule
    from replay.settings import RunSettings

LINE_SECONDS: Final = 10.0
EVENT_KEYS_SHOWN: Final = 12
VALUE_SHOWN: Final = 40
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

HONEST_NOTES: Final = (
    "Hackle stamps an event when it arrives: these will carry the time of sending, not their own.",
    "There is no undo, and a new event key cannot be renamed once it is there.",
    "Old user properties may overwrite today's profiles.",
    "Old pairs of device and user may change who is who.",
    "Events can set off live push campaigns.",
    "Nothing in a key tells production from development: look once more whose key this is.",
)


def clean(text: str) -> str:
    """Text that cannot move the cursor, colour the terminal or turn the line around."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """One line of talk."""
    print(text, file=sys.stderr)  # noqa: T201


def print_data(text: str) -> None:
    """One line of data."""
    print(text)  # noqa: T201


def print_json(document: dict[str, Any]) -> None:
    """One JSON object, the only thing on standard output."""
    print_data(json.dumps(document, ensure_ascii=False, indent=2))


# Progress


@contextmanager
def reading(*, quiet: bool) -> Iterator[Watch | None]:
    """A bar of bytes while the sources are read; nothing where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(
        unit="B", unit_scale=True, unit_divisor=1024, desc="reading", leave=False, file=sys.stderr
    ) as bar:

        def watch(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield watch


@contextmanager
def sending(rows: int, *, quiet: bool) -> Iterator[Observer]:
    """Who shows how a run goes: a bar on a terminal, a line now and then elsewhere."""
    from replay.pipeline import Silent

    if quiet:
        yield Silent()
        return
    if not sys.stderr.isatty():
        yield Lines(rows)
        return
    from tqdm import tqdm

    with tqdm(total=rows, unit="row", desc="sending", file=sys.stderr, dynamic_ncols=True) as bar:
        yield Bar(bar)


class Bar:
    """Shows a run's progress as a tqdm bar."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def on_progress(self, progress: Progress) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(_standing(progress), refresh=False)
        self._bar.update(_tried(progress) - self._bar.n)
        self._bar.refresh()

    def on_stop(self, reason: str) -> None:
        """Say above the bar that the run is stopping."""
        self._bar.write(reason, file=sys.stderr)


class Lines:
    """Shows a run's progress as a plain line every ten seconds."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._next = time.monotonic() + LINE_SECONDS

    def on_progress(self, progress: Progress) -> None:
        """Write a line if it is time."""
        if time.monotonic() >= self._next:
            self._next += LINE_SECONDS
            say(f"{_tried(progress):,} of {self._rows:,} rows; {_standing(progress)}")

    def on_stop(self, reason: str) -> None:
        """Say that the run is stopping."""
        say(reason)


def _tried(progress: Progress) -> int:
    rows = progress.counts.rows
    return sum(rows[name] for name in ("delivered", "rejected", "exhausted", "ambiguous"))


def _standing(progress: Progress) -> str:
    counts = progress.counts
    failed = _tried(progress) - counts.rows["delivered"]
    parts = [
        f"{counts.rows['delivered']:,} delivered",
        f"{failed:,} failed",
        f"{progress.in_flight} in flight",
    ]
    if counts.retries:
        parts.append(f"{counts.retries:,} retries")
    if progress.waiting_for:
        parts.append(f"waiting: {clean(progress.waiting_for)}")
    return ", ".join(parts)


# Tables


def _console(*, to_stdout: bool) -> Console:
    from rich.console import Console

    return Console(stderr=not to_stdout, highlight=False, soft_wrap=False)


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column == "rows" else "left", overflow="fold")
    return table


def _row(table: Table, *cells: object) -> None:
    from rich.text import Text

    table.add_row(*(Text(clean(str(cell))) for cell in cells))


def show_check(result: CheckResult, problems: Path | None) -> None:
    """What a check found: a table of the broken rules, and what comes next."""
    from replay.rules import RULES

    out = _console(to_stdout=True)
    if result.problems:
        table = _table("rule", "severity", "rows", "for example", "what to do")
        for tally in result.problems:
            advice = RULES[tally.rule].advice
            _row(table, tally.rule, tally.severity, f"{tally.rows:,}", _example(tally), advice)
        out.print(table)
    rows = result.rows
    print_data(
        f"{rows['read']:,} rows read: {rows['valid']:,} can be sent ({rows['warned']:,} of them with a warning), "
        f"{rows['invalid']:,} cannot."
    )
    _show_keys_and_users(result.event_keys, result.users, result.estimates)
    if problems is not None:
        print_data(f"Every problem of every row: {problems}")
    elif result.problems:
        print_data("Every problem of every row, in a file: add --problems problems.csv")


def _example(tally: RuleTally) -> str:
    if not tally.examples:
        return ""
    example = tally.examples[0]
    where = f"row {example.row} (line {example.line})"
    value = example.value if len(example.value) <= VALUE_SHOWN else example.value[:VALUE_SHOWN] + "…"
    field = f" {example.field}" if example.field else ""
    return f"{where}{field}: {value!r}. {example.message}"


def _show_keys_and_users(event_keys: dict[str, int], users: int, estimates: list[str]) -> None:
    about = "about " if "users" in estimates else ""
    print_data(f"Users: {about}{users:,}. Event keys: {_keys(event_keys, estimates)}")


def _keys(event_keys: dict[str, int], estimates: list[str]) -> str:
    first = list(event_keys.items())[:EVENT_KEYS_SHOWN]
    text = ", ".join(f"{clean(key)} {rows:,}" for key, rows in first) or "none"
    beyond = len(event_keys) - len(first)
    more = " or more" if "event_keys" in estimates else ""
    return f"{text} and {beyond:,}{more} others" if beyond > 0 or more else text


def rule_dict(rule: Rule) -> dict[str, Any]:
    """A rule as `rules --json` prints it."""
    return {name: getattr(rule, name) for name in ("id", "severity", "limit", "origin", "advice")}


def show_rules(rules: Iterable[Rule]) -> None:
    """The rules as a table."""
    table = _table("rule", "severity", "what it says", "from")
    for rule in rules:
        _row(table, rule.id, rule.severity, rule.limit, rule.origin)
    _console(to_stdout=True).print(table)


# Runs


def show_plan(plan: Plan, settings: RunSettings, command: str) -> None:
    """What a run is about to do, on one screen, with what one should know before."""
    for name, text in _plan_lines(plan, settings):
        say(f"  {name:<11}{text}")
    if not settings.dry_run and not settings.sandbox:
        say("Before you send:")
        for note in HONEST_NOTES:
            say(f"  - {note}")


def _plan_lines(plan: Plan, settings: RunSettings) -> Iterator[tuple[str, str]]:
    for source in plan.sources:
        how = [source.format, source.compression, source.encoding, _delimiter(source.delimiter)]
        yield (
            "source",
            f"{clean(source.source.name)} ({', '.join(part for part in how if part)}): {source.rows:,} rows",
        )
    yield (
        "target",
        "an embedded sandbox; nothing leaves this machine"
        if settings.sandbox
        else show_url(settings.sink.url),
    )
    yield (
        "rows",
        f"{plan.read:,} read, {plan.valid:,} to send, {plan.invalid:,} invalid, {plan.skipped:,} skipped",
    )
    if plan.left:
        yield "left", f"{plan.left:,} rows of other outcomes stay in the failed file; --only takes them"
    invalid = plan.tally.invalid_by_rule()
    if invalid:
        yield (
            "invalid",
            ", ".join(f"{rule} {rows:,}" for rule, rows in invalid.items()) + "; `replay check` shows them",
        )
    keys = dict(sorted(plan.tally.event_keys.items(), key=lambda item: -item[1]))
    yield "event keys", _keys(keys, plan.tally.estimates)
    yield "users", f"{'about ' if 'users' in plan.tally.estimates else ''}{plan.tally.users:,}"
    yield "pace", _pace(plan, settings)
    yield "results", f"{settings.runs}, ledger {settings.ledger_path}"


def _delimiter(delimiter: str | None) -> str | None:
    return None if delimiter is None else {"\t": "tab"}.get(delimiter, f"'{delimiter}'")


def _pace(plan: Plan, settings: RunSettings) -> str:
    most = f"at most {settings.sink.concurrency} requests in flight"
    rate = settings.send.rate
    seconds = plan.seconds(rate)
    if rate is None or seconds is None:
        return f"no rate limit, {most}"
    return f"{rate:g}/s, {most}: about {duration(seconds)}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def show_summary(summary: Summary, stop_reason: str | None, *, whole: bool) -> None:
    """How a run went: the verdict, the counts, why rows failed, and what to type next."""
    if stop_reason is not None:
        say(f"Stopped ({summary.stopped_by or summary.state}): {clean(stop_reason)}")
    if not whole:
        return
    counts = ", ".join(f"{rows:,} {name}" for name, rows in summary.rows.items() if rows and name != "read")
    print_data(f"{summary.rows['read']:,} rows: {counts or 'none'}.")
    for reason in summary.reasons[:10]:
        print_data(f"  {reason['rows']:,} {reason['outcome']}: {clean(reason['reason'])}")
    for line in _next_steps(summary):
        print_data(line)


def _next_steps(summary: Summary) -> Iterator[str]:
    if summary.run is None:
        yield "This was a dry run: nothing was sent, nothing was written."
        return
    if summary.files.failed:
        yield f"Failed rows, each with its reason: {', '.join(summary.files.failed)}"
    if summary.files.unreadable:
        yield f"Records that could not be read: {summary.files.unreadable}"
    rows = summary.rows
    if rows["rejected"] or rows["exhausted"] or rows["invalid"]:
        yield f"Mend them there and send them again: replay resend {summary.run}"
    if rows["ambiguous"]:
        yield (
            f"{rows['ambiguous']:,} rows may or may not have arrived, and were not repeated. "
            f"To risk a second copy of each: replay resend {summary.run} --only ambiguous"
        )
    yield f"Run {summary.run}: {summary.files.folder}"


def show_runs(summaries: list[dict[str, Any]], folder: Path) -> None:
    """The runs of a folder, a line each."""
    if not summaries:
        say(f"There is no run in {folder}.")
        return
    table = _table("run", "command", "state", "rows", "delivered", "failed", "pending")
    for summary in summaries:
        rows = summary.get("rows", {})
        failed = sum(rows.get(name, 0) for name in ("rejected", "exhausted", "ambiguous", "invalid"))
        cells = [summary["run"], summary.get("command", ""), _state(summary)]
        _row(table, *cells, rows.get("read", ""), rows.get("delivered", ""), failed, rows.get("pending", ""))
    _console(to_stdout=True).print(table)


def _state(summary: dict[str, Any]) -> str:
    stopped_by = summary.get("stopped_by")
    return f"{summary.get('state', 'unknown')}{f' by {stopped_by}' if stopped_by else ''}"


def show_run(summary: dict[str, Any], record: dict[str, Any]) -> None:
    """One run in full."""
    print_data(
        f"Run {summary['run']}: {record.get('command')} to {record.get('url')}, {record.get('started')}"
    )
    print_data(f"{_state(summary)}, {summary.get('seconds', 0):g} s, {summary.get('requests', 0):,} requests")
    for source in record.get("sources", []):
        print_data(f"  source {clean(source['name'])}: {source['rows']:,} rows, {source['format']}")
    for name, rows in summary.get("rows", {}).items():
        print_data(f"  {name:<11}{rows:>12,}")
    for reason in summary.get("reasons", [])[:20]:
        print_data(f"  {reason['rows']:,} {reason['outcome']}: {clean(reason['reason'])}")


# The sandbox


def show_sandbox(url: str, key: str) -> None:
    """Where the sandbox listens, and how to reach it."""
    say(f"The sandbox listens on {url} until Ctrl-C. Try it, in another terminal:")
    say(f"  {hackle.KEY_VARIABLE}={key} replay send SOURCE --map mapping.toml --url {url}")


def show_answers(counts: dict[int, int]) -> None:
    """What the sandbox answered."""
    answers = ", ".join(f"{number:,} times {status}" for status, number in sorted(counts.items()))
    say(f"Answered {answers or 'nothing'}.")
