"""`runs`: the runs of a runs folder, and one of them in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from replay.cli import completing
from replay.cli.epilogs import epilog
from replay.cli.options import Json, Runs


def add_to(app: typer.Typer) -> None:
    """Add the command of this room."""
    app.command("runs", epilog=epilog("replay runs", "replay runs last", "replay runs last --json"))(runs)


def runs(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="A run: its id, its folder, or last.",
            show_default=False,
            autocompletion=completing.runs,
        ),
    ] = None,
    folder: Runs = Path("replay-runs"),
    as_json: Json = False,
) -> int:
    """Show the runs and their counts, or one run in full."""
    from replay import console
    from replay.pipeline import run_named, standing
    from replay.report import all_runs, read_record_or_none

    if run is None:
        known = [(standing(one), read_record_or_none(one) or {}) for one in all_runs(folder)]
        if as_json:
            console.print_json({"runs": [summary for summary, _ in known]})
        else:
            console.show_runs(known, folder)
        return 0
    found = run_named(run, folder)
    summary, record = standing(found), found.read_record()
    if as_json:
        console.print_json({**summary, "record": record})
    else:
        console.show_run(summary, record)
    return 0
