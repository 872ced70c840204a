"""`resume` and `settle`: going on with a run that stopped, and telling what became of doubtful rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from replay import hackle
from replay.cli import completing
from replay.cli.config import look_for
from replay.cli.epilogs import SENT, epilog
from replay.cli.options import Json, Runs, Watching, grouped
from replay.cli.running import find_key, has_terminal, run_to_its_end, show

if TYPE_CHECKING:
    from replay.ledger import Store
    from replay.settings import RunSettings

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run: its id, its folder, or last.",
        is_eager=True,
        callback=look_for,
        autocompletion=completing.runs,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this room."""
    resumed = epilog("replay resume last", "replay resume 20261123-081210-3f2a --rate 50/s", exits=SENT)
    app.command("resume", short_help="Go on with a run that stopped.", epilog=resumed)(grouped(resume))
    settled = epilog(
        "replay settle last --as delivered",
        "replay settle last --as undelivered replay-runs/RUN/failed/events.csv",
        exits="0 all rows of the run are delivered by now, 1 it could not be done, 2 wrong usage, "
        "3 some rows not delivered, 4 some still ambiguous.",
    )
    app.command("settle", short_help="Record what you found out about ambiguous rows.", epilog=settled)(
        settle
    )


@dataclass(frozen=True, slots=True)
class GoingOn:
    """What may change when a run goes on."""

    rate: Annotated[str | None, typer.Option("--rate", help="Another rate.")] = None
    concurrency: Annotated[
        int | None, typer.Option("--concurrency", help="Another number of requests in flight.")
    ] = None
    timeout: Annotated[float | None, typer.Option("--timeout", help="Another timeout, in seconds.")] = None
    processes: Annotated[
        int | None, typer.Option("--processes", help="Another number of sender processes.")
    ] = None
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="ADDRESS", help="Another Dask scheduler.")
    ] = None
    retries: Annotated[int | None, typer.Option("--retries", help="Another number of retries.")] = None
    max_outage: Annotated[float | None, typer.Option("--max-outage", help="Another bound, in seconds.")] = (
        None
    )
    on_ambiguous: Annotated[
        Literal["hold", "resend"] | None, typer.Option("--on-ambiguous", help="Another policy.")
    ] = None
    ledger: Annotated[str | None, typer.Option("--ledger", help="The ledger, if it was moved.")] = None
    same_target: Annotated[
        bool, typer.Option("--same-target", help="The key was rotated: it opens the run's target.")
    ] = False
    accept_ledger: Annotated[
        bool,
        typer.Option("--accept-ledger", help="Go on with a ledger that knows less than the runs folder."),
    ] = False

    def changed(self) -> dict[str, Any]:
        """The settings that were given, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def resume(
    run: Run,
    going_on: GoingOn,
    talking: Watching,
    url: Annotated[
        str | None, typer.Option("--url", help="The run's own address, where it has to be given again.")
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", help=f"The key's file; else {hackle.KEY_VARIABLE}, else a prompt."),
    ] = None,
    runs: Runs = Path("replay-runs"),
) -> int:
    """Go on with a run that stopped: what was delivered stays so, what is pending is sent."""
    from replay import console, pipeline
    from replay.report import ended_summary

    started = time.monotonic()
    folder = pipeline.run_named(run, runs)
    if (ended := ended_summary(folder)) is not None:
        return show(talking, ended, None)
    key = "" if pipeline.is_sandbox_run(folder) else find_key(api_key_file)
    settings = pipeline.resumed_settings(folder, key, going_on.changed(), url)
    settings = replace(settings, key_file=api_key_file)
    job, settings = pipeline.masked(pipeline.resumed_job(folder), talking.mask or (), settings)
    with console.measuring(talking.metrics_port) as metrics, pipeline.opened(settings) as store:
        settings = _with_known_key(store, settings, folder.run)
        known = pipeline.known_before(store, settings, folder.run, resumed=True)
        with console.reading(quiet=talking.silent) as watch:
            plan = pipeline.make_plan(job, known, watch)
        if not talking.quiet:
            console.show_plan(plan, settings, talking.given)
        leg = pipeline.Run(plan, settings, folder, pipeline.command_of(folder), resumed=True)
        assert store is not None
        return show(talking, run_to_its_end(leg, store, talking, started, metrics), leg.stop_reason)


def _with_known_key(store: Store | None, settings: RunSettings, run: str) -> RunSettings:
    """The settings with a person's word, where the key is not known to open the run's target."""
    from replay.errors import ReplayError
    from replay.pipeline import key_is_known
    from replay.settings import show_url

    if store is None or not has_terminal() or key_is_known(store, settings, run):
        return settings
    typer.echo(f"Run {run} sends to {show_url(settings.sink.url)}.", err=True)
    typer.echo("This API key is not known to open it: it was not used there by any run yet.", err=True)
    if not typer.confirm("Send the key and the rows there?", default=False, err=True):
        raise ReplayError("Nothing was sent.")
    return replace(settings, same_target=True)


def settle(
    run: Run,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A failed file: settle only its ambiguous rows.")
    ] = None,
    verdict: Annotated[
        Literal["delivered", "undelivered"] | None,
        typer.Option("--as", help="What you found out about them."),
    ] = None,
    runs: Runs = Path("replay-runs"),
    as_json: Json = False,
) -> int:
    """Record what you found out about ambiguous rows: that they arrived, or that they did not."""
    from replay import console, pipeline
    from replay.errors import UsageError

    if verdict is None:
        raise UsageError("--as: say whether the rows were delivered or undelivered.")
    folder = pipeline.run_named(run, runs)
    rows, summary = pipeline.settle_run(folder, verdict, file)
    stale = pipeline.renew_report(folder)
    if not as_json:
        console.print_data(f"{rows:,} rows of run {folder.run} settled as {verdict}.")
        console.show_summary(summary, None, whole=True)
        if stale is not None:
            console.say(console.clean(stale))
    else:
        console.print_json(summary.as_dict())
    return summary.rows_exit_code
