"""What `send` and `resend` share: the key, the plan and its confirmation, the run, what is shown of it."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from replay import hackle
from replay.errors import ReplayError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from replay.cli.options import Sending, Talking, Watching
    from replay.ledger import Store
    from replay.pipeline import Aim, Job, Observer, Plan, Run
    from replay.report import RunFolder, Summary
    from replay.settings import RunSettings


@dataclass(frozen=True, slots=True)
class Command:
    """What was typed, apart from the sources.

    `started`: the monotonic moment it began. `aim`: where a resend goes.
    """

    name: str
    sending: Sending
    talking: Watching
    started: float
    from_stdin: bool = False
    aim: Aim | None = None


def perform(command: Command, make: Callable[[RunFolder, Store | None], Job]) -> int:
    """Plan, confirm, run and show; returns the exit code.

    `make` finds what there is to read; it is given the run's folder, and the ledger where there is one.
    """
    from replay import console
    from replay.pipeline import Run, dry_run, known_before, make_plan, masked, opened, run_folder

    talking = command.talking
    _check_may_ask(command)
    key = given_key(command.sending.api_key_file) if command.sending.needs_key else ""
    settings = command.sending.settings(key or "")
    if command.aim is not None:
        settings = command.aim.of(settings)
    with (
        console.measuring(talking.metrics_port) as metrics,
        run_folder(settings) as folder,
        opened(settings) as store,
    ):
        job, settings = masked(make(folder, store), talking.mask or (), settings)
        if key is None:
            settings = _with_key_asked_for(settings, job)
        with console.reading(quiet=talking.silent) as watch:
            plan = make_plan(job, known_before(store, settings, folder.run), watch)
        if not talking.quiet:
            console.show_plan(plan, settings, talking.given)
        if store is None or settings.dry_run:
            return show(talking, dry_run(plan, command.name, command.started), None)
        _confirm(command, plan)
        run = Run(plan, settings, folder, command.name)
        return show(talking, run_to_its_end(run, store, talking, command.started, metrics), run.stop_reason)


def show(talking: Talking, summary: Summary, stop_reason: str | None) -> int:
    """Show how a run went; returns its exit code."""
    from replay import console

    if talking.as_json:
        console.print_json(summary.as_dict())
    if not talking.silent or stop_reason is not None:
        console.show_summary(summary, stop_reason, whole=not talking.silent)
    return summary.exit_code


def _check_may_ask(command: Command) -> None:
    """Refuse to start a run whose plan nobody can confirm."""
    if command.sending.yes or command.sending.dry_run:
        return
    if not has_terminal() or command.from_stdin:
        raise UsageError(
            f"`replay {command.name}` shows its plan and asks before it sends, "
            "and there is no terminal to ask on. "
            "Look at the plan with --dry-run, then add --yes."
        )


def has_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _with_key_asked_for(settings: RunSettings, job: Job) -> RunSettings:
    """The same with a key that is typed, once nothing is seen that would make it of no use."""
    from replay.pipeline import look_at

    look_at(job)
    return replace(settings, sink=replace(settings.sink, api_key=_ask_for_key()))


def find_key(path: Path | None) -> str:
    """The API key of a run that continues: of a file for its owner alone, the environment, or a prompt."""
    key = given_key(path, may_rehearse=False)
    return _ask_for_key() if key is None else key


def given_key(path: Path | None, *, may_rehearse: bool = True) -> str | None:
    """The API key of a file or of the environment; None where there is neither, and a prompt can ask."""
    from replay.pipeline import check_key, key_of_file

    if path is not None:
        return key_of_file(path)
    if hackle.KEY_VARIABLE in os.environ:
        return check_key(os.environ[hackle.KEY_VARIABLE])
    if has_terminal():
        return None
    raise UsageError(
        f"No API key. Set {hackle.KEY_VARIABLE}, or name a file with --api-key-file"
        + ("; to rehearse without one, add --sandbox." if may_rehearse else ".")
    )


def _ask_for_key() -> str:
    from replay.pipeline import check_key

    return check_key(typer.prompt("Hackle API key (a server SDK key)", hide_input=True, err=True))


def _confirm(command: Command, plan: Plan) -> None:
    if command.sending.yes or not plan.valid:
        return
    if not typer.confirm(f"Send {plan.valid:,} events?", err=True):
        raise ReplayError("Nothing was sent.")


def run_to_its_end(
    run: Run, store: Store, talking: Watching, started: float, metrics: Observer | None
) -> Summary:
    """Send a run's rows, showing how it goes; a signal stops it."""
    from replay import console

    sources, log = len(run.plan.sources), talking.log_file
    with console.sending(sources, quiet=talking.silent, log=log, also=metrics) as observer:
        run.observer = observer
        summary: Summary = _run_loop(_interruptible(run, store, started))
    if run.plan.job.mask and (summary.files.failed or summary.files.unreadable) and not talking.silent:
        console.say("Failed and unreadable files keep the original values of what is masked.")
    if run.report_fault is not None and not talking.silent:
        console.say(console.clean(run.report_fault))
    return summary


def stop_signals() -> tuple[signal.Signals, ...]:
    """The signals that end a command: Ctrl-C, SIGTERM, and a hangup unless it is ignored, as by `nohup`."""
    ends = (signal.SIGINT, signal.SIGTERM)
    return ends if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (*ends, signal.SIGHUP)


async def _interruptible(run: Run, store: Store, started: float) -> Summary:
    """Send, and let Ctrl-C, SIGTERM and a hangup stop the run; only where signals can be handled."""
    import asyncio

    loop = asyncio.get_running_loop()
    numbers = stop_signals()
    terminals = [stream.fileno() for stream in (sys.stdout, sys.stderr) if stream.isatty()]
    for number in numbers:
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, _interrupt, run, terminals)
    try:
        return await run.send(store, started)
    finally:
        for number in numbers:
            with suppress(ValueError, RuntimeError, NotImplementedError):
                loop.remove_signal_handler(number)


def _interrupt(run: Run, terminals: Sequence[int]) -> None:
    """Stop the run. A terminal that hung up takes no words any more: they go nowhere, the run ends well."""
    for terminal in terminals:
        if not os.isatty(terminal):
            os.dup2(os.open(os.devnull, os.O_WRONLY), terminal)
    run.interrupt()


def _run_loop(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on the fastest event loop there is."""
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.run(story)
    return uvloop.run(story)
