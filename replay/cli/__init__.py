"""The command line: flags become settings, a call, what is shown, and an exit code."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer
from typer.exceptions import Abort, TyperException

from replay.cli import check, map, rehearse, report, resume, runs, send
from replay.cli.epilogs import epilog
from replay.cli.mistakes import in_words
from replay.cli.running import stop_signals
from replay.cli.streams import ReaderGoneError, standard_streams
from replay.errors import ReplayError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(
    name="replay",
    help="Backfill events from CSV and JSONL files into Hackle: check them, send them at a set rate, "
    "re-send what failed.\n\nA first try, which sends nothing to Hackle: "
    "replay send sample_data/purchases.csv --map sample_data/purchases.toml --sandbox",
    epilog=epilog(
        "replay check events.csv --map mapping.toml",
        "replay send events.csv --map mapping.toml --rate 200/s",
        "replay resume last",
        "replay resend last",
        "replay COMMAND --help",
        exits="0 all went well, 1 stopped by an error, 2 wrong usage, 3 some rows not delivered or invalid, "
        "4 some rows ambiguous, 130 interrupted.",
    ),
    rich_markup_mode=None,  # plain text at once: drawing it in boxes takes longer than all the rest
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (check, map, send, resume, runs, report, rehearse):
    room.add_to(app)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; an error becomes a line of text, or JSON with `--json`."""
    with standard_streams():
        return _run(arguments, as_json="--json" in arguments)


def _run(arguments: list[str], *, as_json: bool) -> int:
    try:
        with _interruptible():
            code = app(arguments or ["--help"], prog_name="replay", standalone_mode=False)
        sys.stdout.flush()
    except ReplayError as error:
        _tell(error.kind, str(error), as_json)
        return error.exit_code
    except TyperException as error:
        _tell("usage", in_words(error), as_json)
        return error.exit_code
    except (_Interrupted, Abort, KeyboardInterrupt):
        _tell("interrupted", "Interrupted; nothing was sent.", as_json)
        return 130
    except ReaderGoneError:
        return 1
    if not arguments:
        return 2
    return code if isinstance(code, int) else 0


def _tell(kind: str, message: str, as_json: bool) -> None:
    from replay.console import clean, print_json, say

    if as_json:
        with suppress(StorageError, ReaderGoneError):  # then it is said on standard error
            print_json({"error": {"kind": kind, "message": message}})
            sys.stdout.flush()
            return
    say("Error: " + "\n".join(clean(line) for line in message.split("\n")))


class _Interrupted(BaseException):
    """Ctrl-C, SIGTERM or a hangup; Typer would make a silent exit of a KeyboardInterrupt."""


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a hangup end a command in the same words; a run that sends takes them by itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in stop_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    raise _Interrupted
