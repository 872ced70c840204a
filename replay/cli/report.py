"""`report`: how a run went, as a page for people."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from replay.cli import completing
from replay.cli.epilogs import epilog
from replay.cli.options import Json, Masked, Runs


def add_to(app: typer.Typer) -> None:
    """Add the command of this room."""
    written = epilog("replay report last --open", "replay report last --mask user.userId --json")
    app.command("report", short_help="Write a run's HTML report.", epilog=written)(report)


def report(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run: its id, its folder, or last.", autocompletion=completing.runs
        ),
    ],
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    runs: Runs = Path("replay-runs"),
    as_json: Json = False,
    mask: Masked = None,
) -> int:
    """Write the HTML report of a run into its folder: ended, stopped, killed, or still going on."""
    from replay import console
    from replay.pipeline import report_run, run_named
    from replay.report import shown

    path = report_run(run_named(run, runs), mask or ())
    if as_json:
        console.print_json({"report": shown(path)})
    else:
        console.print_data(shown(path))
    if open_ and not webbrowser.open(path.resolve().as_uri()):
        console.say(f"No browser could be opened. Open {shown(path)} yourself.")
    return 0
