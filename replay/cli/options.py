"""The options that several commands share, each written once, in groups.

A command takes a group as one parameter; `grouped` shows Typer the group's fields as options.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from replay import hackle
from replay.settings import (
    MaxFailures,
    ReadSettings,
    RunSettings,
    SendSettings,
    SinkSettings,
    parse_ledger,
    parse_rate,
    parse_share,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.mapping import Mapping
    from replay.pipeline import Job
    from replay.settings import Severity

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Runs = Annotated[Path, typer.Option("--runs", help="The folder in which runs keep their files.")]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE", help="Files, globs, folders, or - for standard input.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read."""

    format_: Annotated[
        str | None, typer.Option("--format", help="csv, tsv or jsonl, where the name does not tell.")
    ] = None
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="For files that are not UTF-8, such as cp949.")
    ] = None
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", help="What stands between cells; else it is found out.")
    ] = None
    quotechar: Annotated[
        str | None, typer.Option("--quotechar", help="What cells are quoted with; '' for nothing.")
    ] = None

    def settings(self) -> ReadSettings:
        """The settings that these options stand for."""
        delimiter = "\t" if self.delimiter == "\\t" else self.delimiter
        return ReadSettings(
            format=self.format_, encoding=self.encoding, delimiter=delimiter, quotechar=self.quotechar
        )


@dataclass(frozen=True, slots=True)
class Understanding:
    """How rows are mapped and judged."""

    map_: Annotated[Path | None, typer.Option("--map", help="The mapping: a TOML file.")] = None
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TARGET=SOURCE", help="One field of the mapping; wins over --map."),
    ] = None
    rule: Annotated[
        list[str] | None,
        typer.Option("--rule", metavar="ID=SEVERITY", help="Change a rule: error, warning or off."),
    ] = None

    def mapping(self) -> Mapping | None:
        """The mapping of `--map` and `--set`; None if there is neither."""
        from replay.mapping import Mapping

        if self.map_ is None and not self.set_:
            return None
        mapping = Mapping.load(self.map_) if self.map_ is not None else Mapping.empty()
        return mapping.with_set(self.set_ or [])

    def rules(self) -> dict[str, Severity]:
        """The severities that `--rule` sets."""
        from replay.rules import parse_rule_option

        return dict(parse_rule_option(option) for option in self.rule or [])


@dataclass(frozen=True, slots=True)
class Sending:
    """How rows are sent, and where to."""

    rate: Annotated[str, typer.Option("--rate", help="Requests: 100/s, 90/m, 5000/h, or none.")] = "100/s"
    concurrency: Annotated[int, typer.Option("--concurrency", help="The most requests in flight.")] = 32
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds for one attempt, up to its status line.")
    ] = 30.0
    retries: Annotated[int, typer.Option("--retries", help="How often a row that failed is tried again.")] = 5
    on_ambiguous: Annotated[
        Literal["hold", "resend"],
        typer.Option("--on-ambiguous", help="A row whose answer was lost: hold it, or risk a duplicate."),
    ] = "hold"
    order: Annotated[
        Literal["user", "none"], typer.Option("--order", help="Keep each user's rows in order, or not.")
    ] = "user"
    limit: Annotated[int | None, typer.Option("--limit", help="Stop after so many rows.")] = None
    sample_users: Annotated[
        str | None, typer.Option("--sample-users", help="Send a share of the users only, such as 1%.")
    ] = None
    max_failures: Annotated[
        str, typer.Option("--max-failures", help="Stop beyond so many failed rows: 100, 5%, or none.")
    ] = "none"
    max_outage: Annotated[
        float, typer.Option("--max-outage", help="Stop when nothing got through for so many seconds.")
    ] = 600.0
    processes: Annotated[
        int,
        typer.Option(
            "--processes", envvar="REPLAY_PROCESSES", help="Sender processes; rate and requests in all."
        ),
    ] = 1
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="Send by a Dask scheduler's workers: tcp://scheduler:8786."
        ),
    ] = None
    again: Annotated[
        bool, typer.Option("--again", help="Send rows once more that were delivered before.")
    ] = False
    same_target: Annotated[
        bool, typer.Option("--same-target", help="The key was rotated: it opens the same target.")
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send.")] = False
    url: Annotated[str, typer.Option("--url", help="Where to send; http only to loopback.")] = hackle.URL
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Rehearse: send to a sandbox inside this command.")
    ] = False
    api_key_file: Annotated[
        Path | None,
        typer.Option("--api-key-file", help=f"The key's file; else {hackle.KEY_VARIABLE}, else a prompt."),
    ] = None
    runs: Runs = Path("replay-runs")
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="A file, or postgresql://…; else ledger.sqlite in --runs.")
    ] = None
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False

    @property
    def needs_key(self) -> bool:
        """Whether rows leave this machine's sandbox."""
        return not (self.sandbox or self.dry_run)

    def settings(self, key: str) -> RunSettings:
        """The settings that these options stand for."""
        send = SendSettings(
            rate=parse_rate(self.rate),
            concurrency=self.concurrency,
            retries=self.retries,
            order=self.order,
            on_ambiguous=self.on_ambiguous,
            max_failures=MaxFailures.parse(self.max_failures),
            max_outage=self.max_outage,
            processes=self.processes,
        )
        sink = SinkSettings(url=self.url, api_key=key, timeout=self.timeout, concurrency=self.concurrency)
        return RunSettings(
            send=send,
            sink=sink,
            runs=self.runs,
            ledger=None if self.ledger is None else parse_ledger(self.ledger),
            dry_run=self.dry_run,
            sandbox=self.sandbox,
            again=self.again,
            same_target=self.same_target,
            cluster=self.cluster,
            key_file=self.api_key_file,
        )

    def portion_of(self, job: Job) -> Job:
        """The part of a job that these options leave."""
        from replay.pipeline import portion

        sample = None if self.sample_users is None else parse_share(self.sample_users)
        return portion(job, self.limit, sample)


@dataclass(frozen=True, slots=True)
class Talking:
    """What is said, and where."""

    as_json: Json = False
    quiet: Quiet = False
    log_file: Annotated[
        Path | None, typer.Option("--log-file", help="Add what happens to this file, as lines of JSON.")
    ] = None

    @property
    def silent(self) -> bool:
        """Whether nothing is drawn for people."""
        return self.as_json or self.quiet


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """Let Typer see the fields of a command's groups as options of the command itself."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        parameters += _options_of(parameter, hints[parameter.name])

    @functools.wraps(command)
    def call(**values: Any) -> int:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        return command(**values)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options_of(parameter: inspect.Parameter, hint: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(hint):
        return [parameter.replace(annotation=hint, kind=kind)]
    hints = get_type_hints(hint, include_extras=True)
    return [
        inspect.Parameter(field.name, kind, default=field.default, annotation=hints[field.name])
        for field in fields(hint)
    ]
