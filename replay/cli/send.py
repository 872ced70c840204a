"""`send` and `resend`: a run over sources, and a new run over the rows that failed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from replay.cli import completing
from replay.cli.config import look_for
from replay.cli.epilogs import SENT, epilog
from replay.cli.options import Reading, Sending, Sources, Understanding, Watching, grouped
from replay.cli.running import Command, perform

if TYPE_CHECKING:
    from replay.ledger import Store
    from replay.pipeline import Job
    from replay.report import RunFolder


def add_to(app: typer.Typer) -> None:
    """Add the commands of this room."""
    sent = epilog(
        "replay send events.csv --map mapping.toml --sandbox",
        "replay send events.csv --map mapping.toml --dry-run",
        "replay send 'data/*.csv.gz' --map mapping.toml --rate 200/s --yes",
        "replay send events.csv --map mapping.toml --sample-users 1% --max-failures 5%",
        exits=SENT,
        settings=True,
    )
    app.command("send", short_help="Send every valid row once, at the set rate.", epilog=sent)(grouped(send))
    resent = epilog(
        "replay resend last",
        "replay resend last --only exhausted,400",
        "replay resend replay-runs/RUN/failed/events.csv",
        exits=SENT,
        settings=True,
    )
    app.command("resend", short_help="Send the failed rows of a run or file again.", epilog=resent)(
        grouped(resend, typed=(Understanding, Reading))
    )


def send(
    sources: Sources,
    understanding: Understanding,
    sending: Sending,
    reading: Reading,
    talking: Watching,
) -> int:
    """Send every valid row once, at the set rate, and write down what failed."""
    from replay.pipeline import as_read, find_stored, make_job

    command = Command("send", sending, talking, time.monotonic(), from_stdin="-" in sources)
    mapping, rules = understanding.mapping(), understanding.rules()
    read = as_read(mapping, reading.settings())

    def job(folder: RunFolder, _: Store | None) -> Job:
        return sending.portion_of(make_job(find_stored(sources, read, folder.path), mapping, read, rules))

    return perform(command, job)


def resend(
    run_or_file: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run (its id, its folder, or last), or a failed file.",
            is_eager=True,
            callback=look_for,
            autocompletion=completing.runs_or_files,
        ),
    ],
    understanding: Understanding,
    sending: Sending,
    reading: Reading,
    talking: Watching,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            help="Outcomes and statuses to take, such as ambiguous,400.",
            autocompletion=completing.outcomes,
        ),
    ] = None,
) -> int:
    """Send the failed rows of a run, or of a failed file, edited or not.

    Takes rejected, exhausted and invalid rows; ambiguous ones only with --only ambiguous.
    """
    from replay.pipeline import aim, ledger_aimed_at, run_to_resend

    started = time.monotonic()
    meant, what = run_to_resend(run_or_file, sending.runs, sending.ledger_given)
    aimed = aim(meant, run_or_file, sending.url, sandbox=sending.sandbox)
    ledger = ledger_aimed_at(meant, sending.runs, sending.ledger)
    sending = replace(sending, url=aimed.url, sandbox=aimed.sandbox, ledger=ledger)
    if understanding.map_ is not None:
        sending = replace(sending, new_mapping=True)
    command = Command("resend", sending, talking, started, aim=aimed)
    mapping, rules, read = understanding.mapping(), understanding.rules(), reading.settings()

    def job(folder: RunFolder, store: Store | None) -> Job:
        from replay.pipeline import refuse_forgotten_beside, resend_job, tell_of_dead

        refuse_forgotten_beside(meant, store, sending.settings(""))
        if not sending.dry_run:
            tell_of_dead(what, sending.runs, sending.ledger)
        resent = resend_job(what, sending.runs, mapping, rules, only, read, store, folder.path)
        return sending.portion_of(resent)

    return perform(command, job)
