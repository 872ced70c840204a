"""`check`, `preview` and `rules`: what can be known of files without sending them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from replay import hackle
from replay.cli.epilogs import epilog
from replay.cli.options import Json, Reading, Sources, Talking, Understanding, grouped
from replay.settings import check_url

if TYPE_CHECKING:
    from replay.pipeline import Job


def add_to(app: typer.Typer) -> None:
    """Add the commands of this room."""
    checked = epilog(
        "replay check events.csv --map mapping.toml",
        "replay check 'data/*.jsonl' --problems problems.csv --report check.html",
        "replay check events.csv --set event.key=name --set user.userId=uid --json",
        exits="0 no errors, 1 it could not be done, 2 wrong usage, 3 some rows invalid.",
        settings=True,
    )
    app.command("check", epilog=checked)(grouped(check))
    shown = epilog(
        "replay preview events.csv --map mapping.toml -n 1",
        "replay preview events.csv --map mapping.toml --curl > requests.sh",
        settings=True,
    )
    app.command("preview", epilog=shown)(grouped(preview))
    app.command("rules", epilog=epilog("replay rules", "replay rules --json"))(rules)


@dataclass(frozen=True, slots=True)
class Showing:
    """Which requests are shown, and how."""

    rows: Annotated[int, typer.Option("-n", "--rows", min=1, help="How many requests.")] = 3
    as_curl: Annotated[
        bool, typer.Option("--curl", help=f"As curl commands that take the key from ${hackle.KEY_VARIABLE}.")
    ] = False
    url: Annotated[str, typer.Option("--url", help="The address that --curl sends to.")] = hackle.URL
    as_json: Json = False


@dataclass(frozen=True, slots=True)
class Written:
    """What a check writes."""

    problems: Annotated[
        Path | None, typer.Option("--problems", help="Write every problem of every row into this CSV file.")
    ] = None
    report: Annotated[
        Path | None, typer.Option("--report", help="Write what was found into this HTML file, for people.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Let these files be overwritten.")] = False


def check(
    sources: Sources,
    understanding: Understanding,
    reading: Reading,
    talking: Talking,
    written: Written,
) -> int:
    """Read every row, map it, judge it by every rule; send nothing."""
    from replay import console
    from replay.pipeline import CheckFiles, check_job, scratch, with_mask
    from replay.report import DEFAULT_RUNS, salt_of

    if not talking.silent:
        console.show_settings(talking.given)
    with scratch() as folder:
        job = _job(sources, understanding, reading, folder)
        job = with_mask(job, talking.mask or (), salt_of(Path(DEFAULT_RUNS), make=False))
        with console.reading(quiet=talking.silent) as watch:
            result = check_job(job, CheckFiles(written.problems, written.report, written.force), watch=watch)
    if talking.as_json:
        console.print_json(result.as_dict())
    elif not talking.quiet:
        console.show_check(result, written.problems)
        if written.report is not None:
            console.print_data(f"Report: {console.clean(str(written.report))}")
    return result.exit_code


def preview(
    sources: Sources,
    understanding: Understanding,
    reading: Reading,
    showing: Showing,
) -> int:
    """Show the exact requests of the first rows; send nothing."""
    from replay import console, pipeline

    check_url(showing.url)
    with pipeline.scratch() as folder:
        result = pipeline.preview(_job(sources, understanding, reading, folder), showing.rows)
    as_curl, url = showing.as_curl, showing.url
    requests = [pipeline.curl(body, url) if as_curl else body.decode() for body in result.bodies]
    if showing.as_json:
        console.print_requests(requests, result, quoted=as_curl)
    else:
        console.show_requests(requests, result)
    return 0


def rules(as_json: Json = False) -> int:
    """Show the rules: id, severity, limit, and where each comes from."""
    from replay import console
    from replay.rules import RULES

    if as_json:
        console.print_json({"rules": [console.rule_dict(rule) for rule in RULES.values()]})
    else:
        console.show_rules(RULES.values())
    return 0


def _job(sources: list[str], understanding: Understanding, reading: Reading, folder: Path) -> Job:
    from replay.pipeline import as_read, find_stored, make_job

    mapping, rules = understanding.mapping(), understanding.rules()
    read = as_read(mapping, reading.settings())
    return make_job(find_stored(sources, read, folder), mapping, read, rules)
