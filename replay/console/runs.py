"""How runs went: one that just ended, all of a folder, one in full; and what the sandbox answered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from replay import hackle
from replay.console.words import clean, print_data, print_table, say
from replay.report import (
    UNREADABLE_FILE,
    RunFolder,
    failed_rows,
    odd_words,
    shown,
    typed,
    typed_file,
    typed_resend,
    unreadable_rows,
    way_on,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.report import Summary


def show_summary(summary: Summary, stop_reason: str | None, *, whole: bool) -> None:
    """How a run went: the verdict, the counts, why rows failed, and what to type next."""
    if stop_reason is not None:
        say(f"Stopped ({summary.stopped_by or summary.state}): {clean(stop_reason)}")
    if not whole:
        return
    counts = ", ".join(f"{rows:,} {name}" for name, rows in summary.rows.items() if rows and name != "read")
    print_data(f"{summary.rows['read']:,} rows: {counts or 'none'}.")
    _show_reasons(summary.reasons, 10)
    for line in _next_steps(summary):
        print_data(clean(line))


def _next_steps(summary: Summary) -> Iterator[str]:
    if summary.run is None:
        yield "This was a dry run: nothing was sent, nothing was written."
        return
    if summary.files.failed:
        yield f"Failed rows, each with its reason: {', '.join(summary.files.failed)}"
    if summary.files.unreadable:
        yield f"Records that could not be read: {summary.files.unreadable}"
    owner = str(summary.run), summary.files.folder or ""
    rows, run, resent = summary.rows, typed(*owner), typed_resend(*owner)
    for path in _edited(summary):
        file = typed_file(path, *owner)
        yield f"A failed file was edited, and is kept as it is. Send its values: replay resend {file}"
    for repaired in sorted(Path(summary.files.folder or "").glob(f"{UNREADABLE_FILE}.edited*")):
        file = typed_file(shown(repaired), *owner)
        yield f"Unreadable rows were repaired, and are kept so. Send them: replay resend {file}"
    if rows["pending"]:
        yield f"{rows['pending']:,} rows are pending. {way_on(summary.stopped_by)}: replay resume {run}"
        if not rows["delivered"] and summary.stopped_by in ("destination", "outage"):
            yield "The run keeps its address. If that is wrong, send the sources again with the right --url."
    if (failed := failed_rows(summary.as_dict())) and summary.files.failed:
        what = f"Fix the {failed:,} failed rows there, or leave them, and send them again"
        yield f"{what}: replay resend {resent}"
    unreadable = unreadable_rows(summary.as_dict())
    if unreadable and summary.files.unreadable is not None:
        file = typed_file(summary.files.unreadable, *owner)
        yield f"Fix `raw` of the {unreadable:,} unreadable rows there, and send them: replay resend {file}"
    if rows["ambiguous"]:
        yield (
            f"{rows['ambiguous']:,} rows may or may not have arrived, and were not repeated. "
            f"If you find out, say so: replay settle {run} --as delivered (or undelivered). "
            f"To risk a second copy of each: replay resend {resent} --only ambiguous"
        )
    if summary.files.report:
        yield f"Report: {summary.files.report}"
    yield f"Run {summary.run}: {summary.files.folder}"


def _edited(summary: Summary) -> list[str]:
    """The edited failed files of a run whose values were never sent."""
    from replay.pipeline import edited_unsent

    if summary.files.folder is None:
        return []
    folder = RunFolder(Path(summary.files.folder))
    return [shown(path) for path in edited_unsent(folder)]


COUNTED: Final = ("rows", "delivered", "failed", "pending")
RUNS_COLUMNS: Final = ("run", "started", "source", "target", "state", *COUNTED)


def show_runs(runs: Sequence[tuple[dict[str, Any], dict[str, Any]]], folder: Path) -> None:
    """The runs of a folder, each a summary and a record, as a table."""
    if not runs:
        say(f"There is no run in {clean(str(folder))}.")
        return
    print_table(RUNS_COLUMNS, [_run_cells(summary, record) for summary, record in runs])
    for summary, _ in runs:
        if summary.get("killed"):
            say(f"Run {summary['run']} was killed. Continue it: replay resume {_typed(summary)}")


def _run_cells(summary: dict[str, Any], record: dict[str, Any]) -> list[str]:
    rows = summary.get("rows", {})
    failed = sum(rows.get(name, 0) for name in ("rejected", "exhausted", "ambiguous", "invalid"))
    counts = [rows.get("read"), rows.get("delivered"), failed, rows.get("pending")]
    return [
        str(summary["run"]),
        _local(record.get("started")),
        _sources(record.get("sources", [])),
        _target(record),
        _state(summary),
        *("" if count is None else f"{count:,}" for count in counts),
    ]


def _local(started: str | None) -> str:
    """When a run began, in this machine's time zone."""
    try:
        return f"{datetime.fromisoformat(started or '').astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return started or ""


def _sources(sources: Sequence[dict[str, Any]]) -> str:
    if not sources:
        return ""
    more = f" and {len(sources) - 1:,} more" if len(sources) > 1 else ""
    return f"{sources[0]['name']}{more}"


def _target(record: dict[str, Any]) -> str:
    """Where a run sends; one to an embedded sandbox is a rehearsal."""
    url = record.get("url", "")
    return "sandbox (rehearsal)" if url == "sandbox" else str(url)


def _typed(summary: dict[str, Any]) -> str:
    return typed(str(summary["run"]), (summary.get("files") or {}).get("folder") or "")


def _state(summary: dict[str, Any]) -> str:
    if summary.get("killed"):
        return "killed"
    stopped_by = summary.get("stopped_by")
    return f"{summary.get('state', 'unknown')}{f' by {stopped_by}' if stopped_by else ''}"


def show_run(summary: dict[str, Any], record: dict[str, Any]) -> None:
    """One run in full."""
    print_data(
        f"Run {summary['run']}: {record.get('command')} to {clean(_target(record))}, "
        f"{_local(record.get('started'))}"
    )
    print_data(f"{_state(summary)}, {summary.get('seconds', 0):g} s, {summary.get('requests', 0):,} requests")
    if summary.get("killed"):
        print_data(f"It was killed. Continue where it stopped: replay resume {_typed(summary)}")
    for source in record.get("sources", []):
        print_data(f"  source {clean(source['name'])}: {source['rows']:,} rows, {source['format']}")
    for name, rows in summary.get("rows", {}).items():
        print_data(f"  {name:<11}{rows:>12,}")
    _show_reasons(summary.get("reasons", []), 20)


def _show_reasons(reasons: Sequence[dict[str, Any]], most: int) -> None:
    """Why rows did not arrive, the commonest first, and what is left out; then what is odd about others."""
    failed = [one for one in reasons if one["outcome"] != "delivered"]
    for one in failed[:most]:
        print_data(f"  {one['rows']:,} {one['outcome']}: {clean(one['reason'])}")
    if rest := failed[most:]:
        rows = sum(one["rows"] for one in rest)
        print_data(f"  and {len(rest):,} more reasons, of {rows:,} rows; the failed files hold them all")
    for one in reasons:
        if one["outcome"] == "delivered":
            print_data(f"  Warning: {clean(odd_words(one))}")


def show_sandbox(url: str, key: str) -> None:
    """Where the sandbox listens, and how to reach it."""
    say(f"The sandbox listens on {url} until Ctrl-C. Try it, in another terminal:")
    say(f"  {hackle.KEY_VARIABLE}={key} replay send SOURCE --map mapping.toml --url {url}")


def show_answers(counts: dict[int, int]) -> None:
    """What the sandbox answered."""
    answers = ", ".join(f"{number:,} times {status}" for status, number in sorted(counts.items()))
    say(f"Answered {answers or 'nothing'}.")
