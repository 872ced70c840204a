"""Every knob: small frozen dataclasses, one a stage, checked when built."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field, fields, replace
from math import inf
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from replay import hackle
from replay.errors import UsageError
from replay.masks import Mask

FORMATS: Final = ("csv", "tsv", "jsonl", "json", "parquet")
TABLES: Final = ("csv", "tsv")
SEVERITIES: Final = ("error", "warning", "off")
Severity = Literal["error", "warning", "off"]

PROCESSES_MAX: Final = 32
AHEAD_SECONDS: Final = 0.5  # with the ends that wait to be written, less than a second's after a power loss
AHEAD_WITHOUT_RATE: Final = 1_000  # rows

_RATE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)/([smh])")
_UNIT_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSettings:
    r"""How sources are read, where the user knows better than what is found out.

    `columns`: the names of a table that has no header. `records`: the dotted path to the array of records
    inside each JSON document; a dot that is part of a name is written `\.`.
    """

    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    quotechar: str | None = None
    columns: tuple[str, ...] | None = None
    records: str | None = None

    def __post_init__(self) -> None:
        if self.columns is not None:
            object.__setattr__(self, "columns", tuple(self.columns))  # a record on disk holds a list
            self._check_columns(self.columns)
        self._check_records()
        if self.format is not None and self.format not in FORMATS:
            raise UsageError(
                f"--format {self.format}: not a format this tool reads. Use one of {', '.join(FORMATS)}."
            )
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise UsageError(
                f"--delimiter {self.delimiter!r}: a delimiter is one character, such as ',' ';' '|' or a tab."
            )
        if self.quotechar is not None and (len(self.quotechar) > 1 or self.quotechar in ("\r", "\n")):
            raise UsageError(
                f"--quotechar {self.quotechar!r}: one character, or '' for a table without quoting."
            )

    def _check_columns(self, names: tuple[str, ...]) -> None:
        twice = sorted({name for name in names if names.count(name) > 1})
        if not names or "" in names or twice:
            what = f"{twice[0]!r} comes twice" if twice else "a name is empty"
            raise UsageError(f"--columns {','.join(names)}: {what}. Name every column once, such as a,b,c.")
        if self.format not in (None, *TABLES):
            raise UsageError(f"--columns names the columns of a table; there are none in {self.format}.")

    def _check_records(self) -> None:
        if self.records is None:
            return
        if "" in self.records_path:
            raise UsageError(
                f"--records {self.records!r}: not a path. Name the members that lead to the array, "
                "such as records or data.items."
            )
        if self.format not in (None, "json", "jsonl"):
            raise UsageError(f"--records is a path into JSON documents; there are none in {self.format}.")
        if self.columns is not None:
            raise UsageError("--records is for JSON, --columns for tables: leave one out.")

    @property
    def records_path(self) -> tuple[str, ...]:
        """The members that lead to the array of records; none where documents are arrays themselves."""
        if self.records is None:
            return ()
        parts = re.split(r"(?<!\\)\.", self.records)
        return tuple(part.replace("\\.", ".") for part in parts)

    def with_(self, other: ReadSettings) -> ReadSettings:
        """The same, and what another one says wherever it says something."""
        said = {
            field.name: value for field in fields(other) if (value := getattr(other, field.name)) is not None
        }
        return replace(self, **said)


def parse_columns(text: str) -> tuple[str, ...]:
    """The column names that `a,b,c` stands for; a name with a comma in it is quoted, as in a CSV."""
    return tuple(next(csv.reader([text], skipinitialspace=True), ()))


def parse_rate(text: str, option: str = "--rate") -> float | None:
    """Requests a second that `100/s`, `90/m` or `5000/h` stand for; None for `none`."""
    if text == "none":
        return None
    match = _RATE.fullmatch(text.strip())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{option} {text}: not a rate. Write 100/s, 90/m, 5000/h, or none.")
    return float(match[1]) / _UNIT_SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Postgres:
    """A ledger in a database; as text it is as it may be stored and shown: no user, password, options."""

    url: str = field(repr=False)
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return self.name
        scheme, _, rest = re.split(r"[?#]", self.url)[0].partition("://")
        host, slash, database = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{database}"

    @property
    def has_options(self) -> bool:
        """Whether the address says more than where the database is."""
        return "?" in self.url


_DATABASE: Final = re.compile(
    r"postgres(ql)?://([^/?#@]*@)?([A-Za-z0-9._%,-]|\[[0-9a-fA-F:.%]+\]|:[0-9]+)*(/[^/?#@]*)?(\?[^@]*)?"
)


def _checked_database(url: str) -> str:
    """The address of a database, if no part of it can be taken for another: a password for a host."""
    if _DATABASE.fullmatch(url) is None:
        raise UsageError(
            "--ledger postgresql://…: not an address. Write it like postgresql://user@host:5432/database; "
            "in a user or password write %40 for @, %3A for :, %2F for /, %3F for ?, %23 for #."
        )
    return url


def parse_ledger(text: str) -> Path | Postgres:
    """What `--ledger` names: a path, `sqlite:///` and a path, or the address of a database."""
    if text.startswith("sqlite:///"):
        return Path(text.removeprefix("sqlite:///"))
    if text.startswith(("postgresql://", "postgres://")):
        return Postgres(_checked_database(text))
    if "://" in text:
        scheme = text.partition("://")[0]
        raise UsageError(
            f"--ledger {scheme}://…: give the path of a SQLite file, or postgresql://user@host/database."
        )
    return Path(text)


def parse_share(text: str) -> float:
    """The share of users, from 0 to 1, that `1%` stands for."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", text.strip())
    if match is None or not 0 < float(match[1]) <= 100:
        raise UsageError(f"--sample-users {text}: not a share. Write 1% or 12.5%.")
    return float(match[1]) / 100


def parse_seconds(text: str) -> float:
    """Seconds that `50ms`, `0.5s` or `0.5` stand for."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?", text.strip())
    if match is None:
        raise UsageError(f"--latency {text}: not a time. Write 50ms or 0.5s.")
    return float(match[1]) / (1000.0 if match[2] == "ms" else 1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MaxFailures:
    """How many failures stop a run: `rows`, or `percent` of the rows tried, counted from the 100th."""

    rows: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str) -> MaxFailures:
        """Read `none`, `100` or `5%`."""
        if text == "none":
            return cls()
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", text)
        if match is not None and float(match[1]) <= 100:
            return cls(percent=float(match[1]))
        if re.fullmatch(r"[0-9]+", text):
            return cls(rows=int(text))
        raise UsageError(f"--max-failures {text}: write a number of rows (100), a percentage (5%), or none.")

    def __str__(self) -> str:
        if self.percent is not None:
            return f"{self.percent:g}%"
        return "none" if self.rows is None else str(self.rows)

    def reached(self, failures: int, tried: int) -> bool:
        """Whether so many failures among so many rows tried are too many."""
        if self.rows is not None:
            return failures > self.rows
        if self.percent is not None and tried >= 100:
            return failures * 100 > self.percent * tried
        return False


def check_url(url: str) -> str:
    """The address itself, if rows may be sent there: https anywhere, http only to loopback."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"--url {_bare(url)}: not an address. Write it like {hackle.URL}.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"--url {_bare(url)}: not an address. Write it like {hackle.URL}.")
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"--url {show_url(url)}: the key would travel in the clear. "
            "http is for loopback only (127.0.0.1, localhost); use https."
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    return host in {"localhost", "::1"} or re.fullmatch(r"127(\.[0-9]{1,3}){3}", host) is not None


def _bare(text: str) -> str:
    """What was typed as an address, without what may be secret in it."""
    return re.sub(r"[^/]*@", "", re.split(r"[?#]", text)[0])


def show_url(url: str) -> str:
    """The address without userinfo, query and fragment, as it may be stored and shown."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SinkSettings:
    """One attempt: where to, with which key, how long, and what the words of an answer must not show."""

    url: str = hackle.URL
    api_key: str = field(default="", repr=False)
    timeout: float = 30.0
    concurrency: int = 32
    mask: Mask = field(default_factory=Mask)

    def __post_init__(self) -> None:
        check_url(self.url)
        if not 0 < self.timeout <= 86_400:
            raise UsageError(f"--timeout {self.timeout:g}: seconds, more than 0 and at most a day.")
        if not 1 <= self.concurrency <= 10_000:
            raise UsageError(f"--concurrency {self.concurrency}: from 1 to 10000.")


@dataclass(frozen=True, kw_only=True, slots=True)
class SendSettings:
    """How rows are sent: pace, retries, order, and when to give up.

    `reached`: a row was delivered to the target before, so that a 2xx counts whatever its body says.
    `goes_on`: an earlier session of the run delivered rows, so that refusals are not the destination's fault.
    """

    rate: float | None = 100.0
    concurrency: int = 32
    retries: int = 5
    order: Literal["user", "none"] = "user"
    on_ambiguous: Literal["hold", "resend"] = "hold"
    max_failures: MaxFailures = field(default_factory=MaxFailures)
    max_outage: float = 600.0
    processes: int = 1
    reached: bool = False
    goes_on: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.processes <= PROCESSES_MAX:
            raise UsageError(f"--processes {self.processes}: from 1 to {PROCESSES_MAX}.")
        if not 0 < self.max_outage < inf:
            raise UsageError(f"--max-outage {self.max_outage:g}: seconds, more than 0.")
        if self.retries < 0:
            raise UsageError(f"--retries {self.retries}: 0 or more.")
        if self.order not in ("user", "none"):
            raise UsageError(f"--order {self.order}: user or none.")
        if self.on_ambiguous not in ("hold", "resend"):
            raise UsageError(f"--on-ambiguous {self.on_ambiguous}: hold or resend.")

    @property
    def senders(self) -> int:
        """How many processes have something to send: each has a request in flight at least."""
        return min(self.processes, self.concurrency)

    @property
    def ahead(self) -> int:
        """How many rows each process may announce ahead of sending them: what half a second takes."""
        rows = AHEAD_WITHOUT_RATE if self.rate is None else self.rate * AHEAD_SECONDS
        return max(1, int(rows / self.processes))

    @property
    def ahead_narrow(self) -> int:
        """The same where only their announcement tells of rows after a kill: an eighth of a second's."""
        rows = AHEAD_WITHOUT_RATE if self.rate is None else self.rate / self.processes
        return max(1, min(self.concurrency, int(rows / 8)))

    def share(self, part: int) -> SendSettings:
        """The settings of one of `processes`, from 0: the same, with its part of the requests in flight."""
        whole, rest = divmod(self.concurrency, self.processes)
        return replace(self, concurrency=max(1, whole + (part < rest)))


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """A run as a whole: its sending, its destination, and where it writes.

    `resent_run`: the run whose target a resend goes to; None where another one was typed. `run_sent_to`: the
    address of the run that is resent, for people. `url_typed`: a person typed the run's address again.
    `accept_ledger`: go on with what the ledger knows, though runs of the runs folder have delivered more.
    """

    send: SendSettings = field(default_factory=SendSettings)
    sink: SinkSettings = field(default_factory=SinkSettings)
    runs: Path = Path("replay-runs")
    ledger: Path | Postgres | None = None
    dry_run: bool = False
    sandbox: bool = False
    again: bool = False
    same_target: bool = False
    new_mapping: bool = False
    cluster: str | None = None
    key_file: Path | None = None
    accept_ledger: bool = False
    resent_run: str | None = None
    run_sent_to: str | None = None
    url_typed: bool = False

    def __post_init__(self) -> None:
        if self.cluster is not None:
            self._check_cluster(self.cluster)

    def _check_cluster(self, address: str) -> None:
        if re.fullmatch(r"[a-z]+://[^/@?#]+/?", address) is None:
            raise UsageError("--cluster: not a scheduler's address. Write it like tcp://scheduler:8786.")
        if not isinstance(self.ledger, Postgres):
            raise UsageError(
                f"--cluster {address}: workers on other machines need a ledger that they share. "
                "Add --ledger postgresql://user@host/database."
            )
        if self.sandbox:
            raise UsageError(
                "--cluster with --sandbox: that sandbox is inside this command, where no worker reaches it. "
                "Start one by `replay sandbox`, and name it with --url."
            )
        if self.send.processes > 1:
            raise UsageError("--cluster with --processes: a cluster's workers are its processes. Use one.")
        if show_url(self.sink.url) != self.sink.url:
            raise UsageError(
                "--cluster: an --url with a user or a query in it is not given to workers, where others may "
                "read it. Use one without."
            )

    @property
    def ledger_place(self) -> Path | Postgres:
        """Where the ledger is kept."""
        return self.ledger or self.runs / "ledger.sqlite"
