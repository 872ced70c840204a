"""The command line: flags become settings, a call, what is shown, and an exit code."""

from __future__ import annotations

import json
import os
import sys

import typer
from typer.exceptions import Abort, TyperException

from replay.cli import check, rehearse, runs, send
from replay.errors import ReplayError

app = typer.Typer(
    name="replay",
    help="Backfill events from CSV and JSONL files into Hackle: check them, send them at a set rate, "
    "re-send what failed.\n\nA first try, which sends nothing to Hackle: "
    "replay send sample_data/purchases.csv --map sample_data/purchases.toml --sandbox",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (check, send, runs, rehearse):
    room.add_to(app)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; an error becomes a line of text, or JSON with `--json`."""
    as_json = "--json" in arguments
    try:
        code = app(arguments, standalone_mode=False)
    except ReplayError as error:
        _tell(error.kind, str(error), as_json)
        return error.exit_code
    except TyperException as error:
        _tell("usage", error.format_message(), as_json)
        return error.exit_code
    except (Abort, KeyboardInterrupt):
        _tell("interrupted", "Interrupted; nothing was sent.", as_json)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code if isinstance(code, int) else 0


def _tell(kind: str, message: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": {"kind": kind, "message": message}}, ensure_ascii=False))  # noqa: T201
    else:
        print(f"Error: {message}", file=sys.stderr)  # noqa: T201
