"""The options that several commands share, each written once, in groups.

A command takes a group as one parameter; `grouped` shows Typer the group's fields as options.
"""

from __future__ import annotations

import functools
import inspect
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

import typer

from replay import hackle
from replay.cli import completing
from replay.cli.config import blaming, given, look_for, setting
from replay.settings import (
    MaxFailures,
    Postgres,
    ReadSettings,
    RunSettings,
    SendSettings,
    SinkSettings,
    parse_columns,
    parse_ledger,
    parse_rate,
    parse_share,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from replay.mapping import Mapping
    from replay.pipeline import Job
    from replay.settings import Severity

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, and nothing else.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Runs = Annotated[Path, typer.Option("--runs", help="The folder in which runs keep their files.")]
_GIVEN: Final = "given"
Given = tuple[str, ...]
"""No option: the settings of a command that nobody typed, with where they come from."""

Masked = Annotated[
    list[str] | None,
    setting(
        "--mask",
        metavar="FIELD",
        help="Show a hash for this field's values: user.userId, or a column.",
        autocompletion=completing.columns,
    ),
]
SOURCES: Final = typer.Argument(
    metavar="SOURCE",
    help="Files, globs, folders, addresses, or -.",
    show_default=False,
    is_eager=True,
    callback=look_for,
    autocompletion=completing.sources,
)
Sources = Annotated[list[str], SOURCES]


@dataclass(frozen=True, slots=True)
class Reading:
    """How sources are read."""

    format_: Annotated[
        str | None, setting("--format", help="csv, tsv, jsonl, json or parquet; else it is found out.")
    ] = None
    encoding: Annotated[
        str | None, setting("--encoding", help="For files that are not UTF-8, such as cp949.")
    ] = None
    delimiter: Annotated[
        str | None, setting("--delimiter", help="What stands between cells; else it is found out.")
    ] = None
    quotechar: Annotated[
        str | None, setting("--quotechar", help="What cells are quoted with; '' for nothing.")
    ] = None

    columns: Annotated[
        str | None, setting("--columns", metavar="A,B,C", help="The columns of a table without header.")
    ] = None
    records: Annotated[
        str | None,
        setting("--records", metavar="PATH", help="Where the array of records is in JSON documents."),
    ] = None

    def settings(self) -> ReadSettings:
        """The settings that these options stand for."""
        return ReadSettings(
            format=self.format_,
            encoding=self.encoding,
            delimiter="\t" if self.delimiter == "\\t" else self.delimiter,
            quotechar=self.quotechar,
            columns=None if self.columns is None else parse_columns(self.columns),
            records=self.records,
        )


@dataclass(frozen=True, slots=True)
class Understanding:
    """How rows are mapped and judged."""

    map_: Annotated[Path | None, setting("--map", help="The mapping: a TOML file.")] = None
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TARGET=SOURCE",
            help="One field of the mapping; wins over --map.",
            autocompletion=completing.assignments,
        ),
    ] = None
    rule: Annotated[
        list[str] | None,
        setting(
            "--rule",
            metavar="ID=SEVERITY",
            help="Change a rule: error, warning or off.",
            autocompletion=completing.rules,
        ),
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

    rate: Annotated[str, setting("--rate", help="Requests: 100/s, 90/m, 5000/h, or none.")] = "100/s"
    concurrency: Annotated[int, setting("--concurrency", help="The most requests in flight.")] = 32
    timeout: Annotated[
        float, setting("--timeout", help="Seconds for one attempt, up to its status line.")
    ] = 30.0
    retries: Annotated[int, setting("--retries", help="How often a row that failed is tried again.")] = 5
    on_ambiguous: Annotated[
        Literal["hold", "resend"],
        typer.Option("--on-ambiguous", help="A row whose answer was lost: hold it, or risk a duplicate."),
    ] = "hold"
    order: Annotated[
        Literal["user", "none"], setting("--order", help="Keep each user's rows in order, or not.")
    ] = "user"
    limit: Annotated[int | None, typer.Option("--limit", help="Stop after so many rows.")] = None
    sample_users: Annotated[
        str | None, typer.Option("--sample-users", help="Send a share of the users only, such as 1%.")
    ] = None
    max_failures: Annotated[
        str, setting("--max-failures", help="Stop beyond so many failed rows: 100, 5%, or none.")
    ] = "none"
    max_outage: Annotated[
        float, setting("--max-outage", help="Stop when nothing got through for so many seconds.")
    ] = 600.0
    processes: Annotated[
        int,
        setting("--processes", help="Sender processes; rate and requests in all."),
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
    accept_ledger: Annotated[
        bool,
        typer.Option("--accept-ledger", help="Go on with a ledger that knows less than the runs folder."),
    ] = False
    new_mapping: Annotated[
        bool,
        typer.Option("--new-mapping", help="Send what is left with another mapping than before."),
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send.")] = False
    url: Annotated[
        str | None,
        typer.Option("--url", help="Where to send; http only to loopback.", show_default=hackle.URL),
    ] = None
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
        sink = SinkSettings(
            url=self.url or hackle.URL, api_key=key, timeout=self.timeout, concurrency=self.concurrency
        )
        return RunSettings(
            send=send,
            sink=sink,
            runs=self.runs,
            ledger=self.ledger_given,
            dry_run=self.dry_run,
            sandbox=self.sandbox,
            again=self.again,
            same_target=self.same_target,
            accept_ledger=self.accept_ledger,
            new_mapping=self.new_mapping,
            cluster=self.cluster,
            key_file=self.api_key_file,
        )

    @property
    def ledger_given(self) -> Path | Postgres | None:
        """The ledger that was typed."""
        return None if self.ledger is None else parse_ledger(self.ledger)

    def portion_of(self, job: Job) -> Job:
        """The part of a job that these options leave."""
        from replay.pipeline import portion

        sample = None if self.sample_users is None else parse_share(self.sample_users)
        return portion(job, self.limit, sample)


@dataclass(frozen=True, slots=True)
class Talking:
    """What is said, and where, and what is not; `given`: the options that come from elsewhere, in words."""

    as_json: Json = False
    quiet: Quiet = False
    mask: Masked = None
    given: Given = ()

    @property
    def silent(self) -> bool:
        """Whether nothing is drawn for people."""
        return self.as_json or self.quiet


@dataclass(frozen=True, slots=True)
class Watching(Talking):
    """What is said of a run that sends, and where."""

    log_file: Annotated[
        Path | None, typer.Option("--log-file", help="Add what happens to this file, as lines of JSON.")
    ] = None
    metrics_port: Annotated[
        int | None,
        setting("--metrics-port", min=1, max=65535, help="Tell Prometheus on this port of 127.0.0.1."),
    ] = None


def grouped(command: Callable[..., int], *, typed: Sequence[type] = ()) -> Callable[..., int]:
    """Let Typer see the fields of a command's groups as options of the command itself.

    The groups that must be `typed` take nothing from variables and files.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint) and isinstance(hint, type)}
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        parameters += _options_of(parameter, hint, is_typed=hint in typed)

    @functools.wraps(command)
    def call(context: typer.Context, **values: Any) -> int:
        for name, group in groups.items():
            options = [field.name for field in fields(group)]
            own = {option: values.pop(option) for option in options if option != _GIVEN}
            if _GIVEN in options:
                own[_GIVEN] = tuple(given(context))
            values[name] = group(**own)
        with blaming(context):
            return command(**values)

    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _options_of(parameter: inspect.Parameter, hint: Any, *, is_typed: bool) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    if not is_dataclass(hint):
        return [parameter.replace(annotation=hint, kind=kind)]
    hints = get_type_hints(hint, include_extras=True)
    shown = {name: _typed(option) if is_typed else option for name, option in hints.items() if name != _GIVEN}
    defaults = {field.name: field.default for field in fields(hint)}
    return [
        inspect.Parameter(name, kind, default=defaults[name], annotation=option)
        for name, option in shown.items()
    ]


def _typed(hint: Any) -> Any:
    """The same option without its variable."""
    option = copy(hint.__metadata__[0])
    option.envvar = None
    return Annotated[hint.__origin__, option]
