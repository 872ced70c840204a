"""`map`: drafts a mapping by looking at the data, lists the presets, and writes what a person then mends."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from replay.cli import completing
from replay.cli.epilogs import epilog
from replay.cli.options import SOURCES, Quiet, Reading, grouped


def add_to(app: typer.Typer) -> None:
    """Add the command of this room."""
    drafted = epilog(
        "replay map events.csv",
        "replay map amplitude_export.zip -o mapping.toml",
        "replay map --preset segment -o mapping.toml",
        "replay map --list",
        settings=True,
    )
    app.command("map", short_help="Draft a mapping by looking at the data.", epilog=drafted)(
        grouped(draft_mapping)
    )


@dataclass(frozen=True, slots=True)
class Drafting:
    """What is drafted, and where to."""

    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the mapping into this file, instead of printing it."),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Use this preset instead of looking.",
            autocompletion=completing.presets,
        ),
    ] = None
    list_: Annotated[bool, typer.Option("--list", help="List the presets.")] = False
    force: Annotated[bool, typer.Option("--force", help="Let --output overwrite its file.")] = False
    quiet: Quiet = False


def draft_mapping(
    reading: Reading,
    drafting: Drafting,
    sources: Annotated[list[str] | None, SOURCES] = None,
) -> int:
    """Draft a mapping by looking at the data: read it, mend it, then check with it.

    The exports of some vendors are recognised by their shape, and get their preset.
    """
    from replay import console, pipeline
    from replay.errors import UsageError

    if drafting.list_:
        for name, about in pipeline.preset_names().items():
            console.print_data(f"{name:<19}{about}")
        return 0
    if not sources and drafting.preset is None:
        raise UsageError("Name a source to look at, or a preset (--list shows them): --preset NAME.")
    _check_output(drafting)
    with pipeline.scratch() as folder:
        found = pipeline.find_stored(sources or [], reading.settings(), folder)
        with console.reading(quiet=drafting.quiet) as watch:
            looking = pipeline.Looking(reading.settings(), time.monotonic, watch)
            draft = pipeline.draft(found, looking, drafting.preset)
    if drafting.output is None:
        console.print_data(draft.text.rstrip("\n"))
    else:
        _write(drafting.output, draft.text, force=drafting.force)
    if not drafting.quiet:
        _tell(draft.notes, sources or ["SOURCE"], drafting.output)
    return 0


def _tell(notes: list[str], sources: list[str], output: Path | None) -> None:
    """Say what a person should know of the draft, and what comes next."""
    from replay import console
    from replay.pipeline import check_command

    for note in notes:
        console.say(console.clean(note))
    if output is not None:
        console.say(f"Wrote {output}. Read it, mend it, then: {check_command(sources, str(output))}")


def _check_output(drafting: Drafting) -> None:
    """Refuse to overwrite before anything is looked at."""
    from replay.errors import UsageError

    output = drafting.output
    if output is not None and output.exists() and not drafting.force:
        raise UsageError(f"--output {output}: the file exists. Name another one, or add --force.")


def _write(output: Path, text: str, *, force: bool) -> None:
    from replay.errors import StorageError, UsageError
    from replay.report import private

    try:
        mode = "w" if force else "x"
        with open(output, mode, encoding="utf-8", newline="\n", opener=private) as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"--output {output}: the file exists. Name another one, or add --force.") from error
    except OSError as error:
        raise StorageError(f"--output {output} cannot be written: {error.strerror or error}.") from error
