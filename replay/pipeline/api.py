"""The tool for Python: `check` and `send` as functions. Nothing here prints or asks."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from replay import hackle
from replay.errors import UsageError
from replay.pipeline.checking import CheckResult, check_job
from replay.pipeline.keys import check_key
from replay.pipeline.ledgers import known_before, opened
from replay.pipeline.masking import masked, with_mask
from replay.pipeline.planning import make_plan
from replay.pipeline.run import Run, dry_run
from replay.pipeline.scratch import held, remove_abandoned, scratch
from replay.pipeline.stages import Job
from replay.report import DEFAULT_RUNS, RunFolder, Summary, new_run_id, open_runs, salt_of
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
from replay.source import Source, find, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Mapping as Dict

    from replay.mapping import Mapping
    from replay.settings import Severity


class SendOptions(TypedDict, total=False):
    """What a run may be told; the names and defaults of the command line.

    `api_key` defaults to the environment's HACKLE_API_KEY. `timeout` is in seconds, `rate` a text such as
    `"100/s"` or `"none"`, `max_failures` `"100"`, `"5%"` or `"none"`.
    """

    rules: Dict[str, Severity]
    read: ReadSettings
    rate: str
    concurrency: int
    timeout: float
    retries: int
    order: Literal["user", "none"]
    on_ambiguous: Literal["hold", "resend"]
    limit: int
    sample_users: str
    max_failures: str
    max_outage: float
    processes: int
    cluster: str
    again: bool
    same_target: bool
    accept_ledger: bool
    new_mapping: bool
    ledger: str | Path
    url: str
    api_key: str
    sandbox: bool
    dry_run: bool
    runs: str | Path
    mask: Sequence[str]


def check(
    sources: Sequence[str | Path],
    *,
    mapping: Mapping | None = None,
    rules: Dict[str, Severity] | None = None,
    read: ReadSettings | None = None,
    mask: Sequence[str] = (),
) -> CheckResult:
    """Read, map and judge every row; send nothing.

    `mask`: fields whose values the result shows as hashes.
    Raises UsageError, MappingError and SourceError, each in words.
    """
    settings = as_read(mapping, read or ReadSettings())
    with scratch() as folder:
        job = make_job(find_stored(sources, settings, folder), mapping, settings, rules)
        return check_job(with_mask(job, mask, salt_of(Path(DEFAULT_RUNS), make=False)))


def send(
    sources: Sequence[str | Path], *, mapping: Mapping | None = None, **options: Unpack[SendOptions]
) -> Summary:
    """Send every valid row; the same as `send_async`, where no event loop runs."""
    return asyncio.run(send_async(sources, mapping=mapping, **options))


async def send_async(
    sources: Sequence[str | Path], *, mapping: Mapping | None = None, **options: Unpack[SendOptions]
) -> Summary:
    """Send every valid row of the sources and return how it went.

    A run that was stopped says so in the summary's `state` and `stopped_by`. Raises UsageError,
    MappingError and SourceError before the first request, StorageError where the run cannot be written down.
    """
    started = time.monotonic()
    settings = run_settings(options)
    read = as_read(mapping, options.get("read", ReadSettings()))
    with run_folder(settings) as folder, opened(settings) as store:
        found = await asyncio.to_thread(find_stored, sources, read, folder.path)
        job = make_job(found, mapping, read, options.get("rules"))
        sample = options.get("sample_users")
        job = portion(job, options.get("limit"), None if sample is None else parse_share(sample))
        job, settings = await asyncio.to_thread(masked, job, options.get("mask", ()), settings)
        known = await asyncio.to_thread(known_before, store, settings, folder.run)
        plan = await asyncio.to_thread(make_plan, job, known)
        if store is None or settings.dry_run:
            return dry_run(plan, "send", started)
        return await Run(plan, settings, folder).send(store, started)


def portion(job: Job, limit: int | None, sample: float | None) -> Job:
    """A part of a job: its first `limit` rows that can be sent, a share of its users. Raises UsageError."""
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: 1 or more rows.")
    return replace(job, limit=limit, sample=sample)


def run_settings(options: SendOptions) -> RunSettings:
    """The settings that options stand for."""
    sandbox, dry = options.get("sandbox", False), options.get("dry_run", False)
    key = "" if sandbox or dry else _key(options)
    concurrency = options.get("concurrency", 32)
    send_settings = SendSettings(
        rate=parse_rate(options.get("rate", "100/s")),
        concurrency=concurrency,
        retries=options.get("retries", 5),
        order=options.get("order", "user"),
        on_ambiguous=options.get("on_ambiguous", "hold"),
        max_failures=MaxFailures.parse(options.get("max_failures", "none")),
        max_outage=options.get("max_outage", 600.0),
        processes=options.get("processes", 1),
    )
    sink = SinkSettings(
        url=options.get("url", hackle.URL),
        api_key=key,
        timeout=options.get("timeout", 30.0),
        concurrency=concurrency,
    )
    runs = Path(options.get("runs", "replay-runs"))
    ledger = options.get("ledger")
    return RunSettings(
        send=send_settings,
        sink=sink,
        runs=runs,
        ledger=None if ledger is None else parse_ledger(str(ledger)),
        dry_run=dry,
        sandbox=sandbox,
        again=options.get("again", False),
        same_target=options.get("same_target", False),
        accept_ledger=options.get("accept_ledger", False),
        new_mapping=options.get("new_mapping", False),
        cluster=options.get("cluster"),
    )


def _key(options: SendOptions) -> str:
    key = options.get("api_key") or os.environ.get(hackle.KEY_VARIABLE)
    if not key:
        raise UsageError(f"No API key: give api_key, or set {hackle.KEY_VARIABLE}.")
    return check_key(key)


def as_read(mapping: Mapping | None, read: ReadSettings) -> ReadSettings:
    """How sources are read: as the mapping's `[source]` says, and what the command says wins."""
    return read if mapping is None else mapping.read.with_(read)


def find_stored(sources: Sequence[str | Path], read: ReadSettings, folder: Path) -> list[Source]:
    """Find the sources; what is no file is stored in `folder` first, because it is read twice."""
    found = find([str(source) for source in sources], read)
    for source in found:
        _check_name(source.name)
    return [store(source, folder, number) for number, source in enumerate(found, 1)]


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{name!r}: a file name that is not text in UTF-8 cannot be written down. Rename the file."
        ) from error


def make_job(
    found: Sequence[Source],
    mapping: Mapping | None,
    read: ReadSettings,
    rules: Dict[str, Severity] | None = None,
) -> Job:
    """One job over sources that are all read in the same way."""
    return Job(tuple(found), mapping, (read,) * len(found), dict(rules or {}))


@contextmanager
def run_folder(settings: RunSettings) -> Iterator[RunFolder]:
    """A new run's folder: of a dry run a temporary one, else kept once the run has written its record."""
    if settings.dry_run:
        with scratch() as temporary:
            yield RunFolder(temporary)
        return
    runs = open_runs(settings.runs)
    remove_abandoned(runs, time.time())
    folder = RunFolder.create(runs, new_run_id())
    try:
        with held(folder.path):
            yield folder
    finally:
        folder.discard_unless_begun()
