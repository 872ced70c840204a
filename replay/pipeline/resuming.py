"""`resume`: the job and the settings of a run that was begun before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from replay.errors import StorageError, UsageError
from replay.pipeline.record import kept_sources, mapping_in, mask_of
from replay.pipeline.stages import Job
from replay.report import Selection, find_run, typed_runs
from replay.settings import (
    MaxFailures,
    Postgres,
    RunSettings,
    SendSettings,
    SinkSettings,
    check_url,
    parse_ledger,
    parse_rate,
    show_url,
)

if TYPE_CHECKING:
    from pathlib import Path

    from replay.report import RunFolder


def run_named(name: str, runs: Path) -> RunFolder:
    """The run that an id, a folder or `last` names. Raises UsageError where it names none."""
    folder = find_run(name, runs)
    if folder is None:
        raise UsageError(f"There is no run {name} in {runs}. `{typed_runs(runs)}` lists those there are.")
    return folder


def resumed_job(folder: RunFolder) -> Job:
    """What a run reads, as it was read when it began."""
    return replace(job_of(folder.read_record()), mask=mask_of(folder))


def job_of(record: dict[str, Any]) -> Job:
    """What a record says that is read, and how."""
    kept = kept_sources(record)
    wanted = record.get("selection")
    return Job(
        sources=tuple(source for source, _, _ in kept),
        mapping=mapping_in(record),
        read=tuple(read for _, read, _ in kept),
        rules=dict(record.get("rules", {})),
        selection=None if wanted is None else Selection(frozenset(wanted)),
        limit=record["settings"].get("limit"),
        sample=record["settings"].get("sample"),
        digests=tuple(stored["digest"] for _, _, stored in kept),
    )


def resumed_settings(
    folder: RunFolder, key: str, changed: dict[str, Any], url: str | None = None
) -> RunSettings:
    """The settings of a run, with those that may change replaced; `changed` by their option's name.

    Raises UsageError for another URL, and where the URL could not be kept whole and is not given.
    """
    record = folder.read_record()
    if changed.get("ledger") is None and record.get("ledger_had_more"):
        raise UsageError(
            "The address of the run's ledger had options, which are not kept. Give it again: "
            f"--ledger '{record['ledger']}?…'"
        )
    kept = {**record["settings"], **{name: value for name, value in changed.items() if value is not None}}
    send = SendSettings(
        rate=parse_rate(kept["rate"]),
        concurrency=kept["concurrency"],
        retries=kept["retries"],
        order=kept["order"],
        on_ambiguous=kept["on_ambiguous"],
        max_failures=MaxFailures.parse(kept["max_failures"]),
        max_outage=kept["max_outage"],
        processes=kept.get("processes", 1) if kept.get("cluster") is None else 1,
    )
    is_sandbox = record["url"] == "sandbox"
    sink = SinkSettings(api_key=key, timeout=kept["timeout"], concurrency=kept["concurrency"])
    if not is_sandbox:
        sink = replace(sink, url=_url(record, url))
    return RunSettings(
        send=send,
        sink=sink,
        runs=folder.path.parent,
        ledger=ledger_of(folder, kept.get("ledger")),
        sandbox=is_sandbox,
        again=record.get("again", False),
        cluster=kept.get("cluster"),
    )


def command_of(folder: RunFolder) -> str:
    """What a run was begun as: send or resend."""
    return str(folder.read_record()["command"])


def is_sandbox_run(folder: RunFolder) -> bool:
    """Whether a run sends to a sandbox inside it, which needs no key."""
    return bool(folder.read_record()["url"] == "sandbox")


def ledger_of(folder: RunFolder, given: str | None = None) -> Path | Postgres:
    """The ledger that knows a run: the one given, the run's own, or the one beside a runs folder that moved.

    Raises StorageError where there is none.
    """
    place = parse_ledger(given or folder.read_record()["ledger"])
    return place if isinstance(place, Postgres) else _ledger_file(folder, place, is_given=given is not None)


def _ledger_file(folder: RunFolder, recorded: Path, *, is_given: bool) -> Path:
    beside = folder.path.resolve().parent / recorded.name
    found = [recorded] if is_given else [recorded, beside]
    for path in found:
        if path.is_file():
            return path
    raise StorageError(
        f"The ledger {found[0]} is gone, and without it nobody knows which rows of run {folder.run} were "
        "sent. Put it back, or name the place it was moved to with --ledger."
    )


def _url(record: dict[str, Any], given: str | None) -> str:
    kept = str(record["url"])
    if given is not None and show_url(check_url(given)) != kept:
        raise UsageError(
            f"--url {show_url(given)}: the run sends to {kept}, and goes on there. Leave --url out."
        )
    if given is None and record.get("url_had_more"):
        raise UsageError(
            f"The run's address had a query or a user in it, which is not kept. Give it again: --url {kept}…"
        )
    return given or kept
