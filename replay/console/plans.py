"""What a run is about to do, on one screen, with what one should know before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from replay.console.words import INDENT, clean, columns, folded, keys_line, say
from replay.ledger import runs_known
from replay.settings import show_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.pipeline import Plan
    from replay.settings import RunSettings, SendSettings

HONEST_NOTES: Final = (
    "Hackle stamps events when they arrive: these carry the time of sending.",
    "There is no undo, and a new event key cannot be renamed once it is there.",
    "Old user properties may overwrite today's profiles.",
    "Old pairs of device and user may change who is who.",
    "Events can set off live push campaigns.",
    "Nothing in a key tells production from development: look whose it is.",
)

_CUT_USERS: Final = (
    "rows of one userId with different deviceIds, or with and without one, may go to different"
)


SOURCES_SHOWN: Final = 3
LONG_SECONDS: Final = 600.0
OUTLIVE: Final = "run it in `tmux` or with `nohup`, so that it outlives the terminal"
KEYS_LINES: Final = 2
RULES_SHOWN: Final = 3
RUNS_SHOWN: Final = 3
NOTES_SHOWN: Final = 5


def show_plan(plan: Plan, settings: RunSettings, given: Sequence[str] = ()) -> None:
    """What a run is about to do, on one screen, with what one should know before.

    `given`: settings that come from elsewhere than the command line, in words.
    """
    for name, text in _plan_lines(plan, settings):
        say(folded(name, text))
    show_settings(given)
    if not settings.dry_run and not settings.sandbox:
        say("Before you send:")
        for note in HONEST_NOTES:
            say(f"  - {note}")


def show_settings(given: Sequence[str]) -> None:
    """Which settings come from elsewhere than the command line, and from where."""
    if given:
        say(folded("settings", clean(", ".join(given))))


def _plan_lines(plan: Plan, settings: RunSettings) -> Iterator[tuple[str, str]]:
    yield from _source_lines(plan)
    yield "target", _target(plan, settings)
    yield (
        "rows",
        f"{plan.read:,} read, {plan.valid:,} to send, {plan.invalid:,} invalid, "
        f"{plan.skipped.total():,} skipped{_causes(plan.skipped)}",
    )
    yield from _history_lines(plan)
    if plan.ambiguous:
        yield (
            "ambiguous",
            f"{plan.ambiguous:,} rows that an earlier run left so are not sent; "
            "`replay settle RUN --as delivered`, or `replay resend RUN --only ambiguous`",
        )
    if plan.ended:
        yield "done", f"{plan.ended:,} rows ended in earlier legs of this run"
    if plan.left:
        yield "left", f"{plan.left:,} rows of other outcomes stay in the failed file; --only takes them"
    if plan.job.still_unreadable:
        yield "unreadable", f"{plan.job.still_unreadable:,} rows still cannot be read, and stay invalid"
    if invalid := plan.tally.invalid_by_rule():
        rules = [f"{rule} {rows:,}" for rule, rows in invalid.items()]
        more = f" and {len(rules) - RULES_SHOWN} more" if len(rules) > RULES_SHOWN else ""
        yield "invalid", f"{', '.join(rules[:RULES_SHOWN])}{more}; `replay check` shows them"
    keys = dict(sorted(plan.tally.event_keys.items(), key=lambda item: -item[1]))
    width = columns(sys.stderr)
    room = None if width is None else KEYS_LINES * (width - INDENT)
    yield "event keys", keys_line(keys, plan.tally.estimates, room)
    yield "users", f"{'about ' if 'users' in plan.tally.estimates else ''}{plan.tally.users:,}"
    yield "pace", _pace(plan, settings)
    if settings.cluster is not None:
        yield "cluster", _cluster(settings)
    elif settings.send.processes > 1:
        yield "processes", _processes(settings.send)
    if plan.job.mask:
        masked = clean(", ".join(plan.job.mask.fields))
        yield "masked", f"{masked}; failed and unreadable files keep the originals"
    yield "results", clean(str(settings.runs))
    yield from _unprotected(settings)
    earlier = 0 if plan.known.store is None else runs_known(plan.known.store)
    yield (
        "ledger",
        f"{clean(str(settings.ledger_place))}, {earlier:,} earlier run{'' if earlier == 1 else 's'} known",
    )


def _target(plan: Plan, settings: RunSettings) -> str:
    """Where rows go; where a resend goes elsewhere than its run went, both."""
    from replay.pipeline import other_environment

    url = show_url(settings.sink.url)
    target = "an embedded sandbox; nothing leaves this machine" if settings.sandbox else url
    if settings.run_sent_to is not None and settings.resent_run is None:
        return f"{target}; the run whose rows these are sent to {settings.run_sent_to}"
    other = None if plan.known.store is None else other_environment(plan.known, settings)
    return target if other is None else f"{target}, {other}"


def _unprotected(settings: RunSettings) -> Iterator[tuple[str, str]]:
    from replay.pipeline import unprotected

    if places := unprotected(settings):
        named = clean(", ".join(map(str, places)))
        yield "open", f"others may be able to write to {named}: the file system keeps no permissions"


def _history_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    """What earlier runs did to the rows."""
    runs = [(run, rows) for run, rows in reversed(plan.delivered_in.items()) if rows]
    for run, rows in runs[:RUNS_SHOWN]:
        yield "delivered", f"{_rows(rows)} taken as delivered in run {run}"
    if more := runs[RUNS_SHOWN:]:
        yield "", f"{_rows(sum(rows for _, rows in more))} in {len(more):,} earlier runs"
    for label, text in plan.notes[:NOTES_SHOWN]:
        yield label, clean(text)
    if hidden := plan.notes[NOTES_SHOWN:]:
        yield "", f"and {len(hidden):,} more notes of this kind"


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _source_lines(plan: Plan) -> Iterator[tuple[str, str]]:
    for source in plan.sources[:SOURCES_SHOWN]:
        how = [source.format, source.compression, source.encoding, _delimiter(source.delimiter)]
        if source.read.columns is not None:
            how.append("no header")
        yield (
            "source",
            f"{clean(source.source.name)} ({', '.join(part for part in how if part)}): {source.rows:,} rows",
        )
    for source in plan.sources:
        if hosts := source.source.hosts:
            yield "redirected", clean(f"{source.source.name} was fetched by way of {', '.join(hosts)}")
    if more := plan.sources[SOURCES_SHOWN:]:
        yield "", f"and {len(more):,} more: {sum(source.rows for source in more):,} rows"


def _causes(skipped: dict[str, int]) -> str:
    causes = [f"{cause} {rows:,}" for cause, rows in skipped.items() if rows]
    return f" ({', '.join(causes)})" if causes else ""


def _delimiter(delimiter: str | None) -> str | None:
    return None if delimiter is None else "delimiter " + {"\t": "tab"}.get(delimiter, f"'{delimiter}'")


def _pace(plan: Plan, settings: RunSettings) -> str:
    most = f"at most {settings.sink.concurrency} requests in flight"
    rate = settings.send.rate
    seconds = plan.seconds(rate)
    if rate is None or seconds is None:
        return f"no rate limit, {most}"
    advice = f"; {OUTLIVE}" if seconds > LONG_SECONDS else ""
    return f"{rate:g}/s, {most}: about {duration(seconds)}{advice}"


def _cluster(settings: RunSettings) -> str:
    said = f"the workers of {settings.cluster}; each finds the key where it runs"
    if settings.send.order == "none":
        return said
    return f"{said}; {_CUT_USERS} workers: their order is not kept"


def _processes(send: SendSettings) -> str:
    count = f"{send.senders} that send" if send.senders > 1 else "1 that sends"
    if send.senders < send.processes:
        count += f" (--processes {send.processes} is cut to --concurrency)"
    if send.order == "none" or send.senders == 1:
        return count
    return f"{count}; {_CUT_USERS} processes: their order is not kept"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"
