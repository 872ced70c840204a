"""How runs went: one that just ended, all of a folder, one in full; and what the sandbox answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from replay import hackle
from replay.console.words import clean, print_data, row, say, screen, table
from replay.report import UNREADABLE_FILE, RunFolder, failed_rows, shown, typed, unreadable_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.report import Summary


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
        print_data(clean(line))


def _next_steps(summary: Summary) -> Iterator[str]:
    if summary.run is None:
        yield "This was a dry run: nothing was sent, nothing was written."
        return
    if summary.files.failed:
        yield f"Failed rows, each with its reason: {', '.join(summary.files.failed)}"
    if summary.files.unreadable:
        yield f"Records that could not be read: {summary.files.unreadable}"
    for path in _edited(summary):
        yield f"A failed file was edited, and is kept as it is. Send its values: replay resend {path}"
    for repaired in sorted(Path(summary.files.folder or "").glob(f"{UNREADABLE_FILE}.edited*")):
        yield f"Unreadable rows were repaired, and are kept so. Send them: replay resend {shown(repaired)}"
    rows, run = summary.rows, typed(str(summary.run), summary.files.folder or "")
    if rows["pending"]:
        yield f"{rows['pending']:,} rows are pending. Go on where it stopped: replay resume {run}"
    if failed := failed_rows(summary.as_dict()):
        yield f"Fix the {failed:,} failed rows there, or leave them, and send them again: replay resend {run}"
    unreadable = unreadable_rows(summary.as_dict())
    if unreadable and (file := summary.files.unreadable) is not None:
        yield f"Fix `raw` of the {unreadable:,} unreadable rows there, and send them: replay resend {file}"
    if rows["ambiguous"]:
        yield (
            f"{rows['ambiguous']:,} rows may or may not have arrived, and were not repeated. "
            f"If you find out, say so: replay settle {run} --as delivered (or undelivered). "
            f"To risk a second copy of each: replay resend {run} --only ambiguous"
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


def show_runs(summaries: list[dict[str, Any]], folder: Path) -> None:
    """The runs of a folder, a line each."""
    if not summaries:
        say(f"There is no run in {folder}.")
        return
    shown = table("run", "command", "state", "rows", "delivered", "failed", "pending")
    for summary in summaries:
        rows = summary.get("rows", {})
        failed = sum(rows.get(name, 0) for name in ("rejected", "exhausted", "ambiguous", "invalid"))
        cells = [summary["run"], summary.get("command", ""), _state(summary)]
        row(shown, *cells, rows.get("read", ""), rows.get("delivered", ""), failed, rows.get("pending", ""))
    screen(to_stdout=True).print(shown)
    if any(summary.get("killed") for summary in summaries):
        say("A run that was killed goes on with: replay resume RUN")


def _state(summary: dict[str, Any]) -> str:
    if summary.get("killed"):
        return "killed"
    stopped_by = summary.get("stopped_by")
    return f"{summary.get('state', 'unknown')}{f' by {stopped_by}' if stopped_by else ''}"


def show_run(summary: dict[str, Any], record: dict[str, Any]) -> None:
    """One run in full."""
    print_data(
        f"Run {summary['run']}: {record.get('command')} to {record.get('url')}, {record.get('started')}"
    )
    print_data(f"{_state(summary)}, {summary.get('seconds', 0):g} s, {summary.get('requests', 0):,} requests")
    if summary.get("killed"):
        print_data(f"It was killed. Go on where it stopped: replay resume {summary['run']}")
    for source in record.get("sources", []):
        print_data(f"  source {clean(source['name'])}: {source['rows']:,} rows, {source['format']}")
    for name, rows in summary.get("rows", {}).items():
        print_data(f"  {name:<11}{rows:>12,}")
    for reason in summary.get("reasons", [])[:20]:
        print_data(f"  {reason['rows']:,} {reason['outcome']}: {clean(reason['reason'])}")


def show_sandbox(url: str, key: str) -> None:
    """Where the sandbox listens, and how to reach it."""
    say(f"The sandbox listens on {url} until Ctrl-C. Try it, in another terminal:")
    say(f"  {hackle.KEY_VARIABLE}={key} replay send SOURCE --map mapping.toml --url {url}")


def show_answers(counts: dict[int, int]) -> None:
    """What the sandbox answered."""
    answers = ", ".join(f"{number:,} times {status}" for status, number in sorted(counts.items()))
    say(f"Answered {answers or 'nothing'}.")
