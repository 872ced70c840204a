"""`send` and `resend`: a run over sources, and a new run over the rows that failed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from replay.cli.options import Reading, Sending, Sources, Understanding, Watching, grouped
from replay.cli.running import EXITS, Command, perform

if TYPE_CHECKING:
    from replay.pipeline import Job
    from replay.report import RunFolder


def add_to(app: typer.Typer) -> None:
    """Add the commands of this room."""
    app.command("send", epilog=EXITS)(grouped(send))
    app.command("resend", epilog=EXITS)(grouped(resend))


def send(
    sources: Sources, understanding: Understanding, sending: Sending, reading: Reading, talking: Watching
) -> int:
    """Send every valid row once, at the set rate, and write down what failed."""
    command = Command("send", sending, talking, time.monotonic(), from_stdin="-" in sources)
    mapping, rules, read = understanding.mapping(), understanding.rules(), reading.settings()

    def job(folder: RunFolder) -> Job:
        from replay.pipeline import find_stored, make_job

        return sending.portion_of(make_job(find_stored(sources, read, folder.path), mapping, read, rules))

    return perform(command, job)


def resend(
    run_or_file: Annotated[
        str, typer.Argument(metavar="RUN|FILE", help="A run (its id, its folder, or last), or a failed file.")
    ],
    understanding: Understanding,
    sending: Sending,
    reading: Reading,
    talking: Watching,
    only: Annotated[
        str | None, typer.Option("--only", help="Outcomes and statuses to take, such as ambiguous,400.")
    ] = None,
) -> int:
    """Send the failed rows of a run, or of a failed file, edited or not.

    Takes rejected, exhausted and invalid rows; ambiguous ones only with --only ambiguous.
    """
    command = Command("resend", sending, talking, time.monotonic())
    mapping, rules, read = understanding.mapping(), understanding.rules(), reading.settings()

    def job(_: RunFolder) -> Job:
        from replay.pipeline import resend_job, tell_of_dead

        if not sending.dry_run:
            tell_of_dead(run_or_file, sending.runs)
        return sending.portion_of(resend_job(run_or_file, sending.runs, mapping, rules, only, read))

    return perform(command, job)
