"""`run.toml`: what a run was about to do, so that it can be told, resent and gone on with."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from replay.mapping import Mapping
from replay.masks import Mask
from replay.report import EDITED, PART, RunFolder, all_runs, failed_names, salt_of
from replay.settings import TABLES, Postgres, ReadSettings, show_url
from replay.source import Source

if TYPE_CHECKING:
    from replay.pipeline.plan import Plan, SourcePlan
    from replay.settings import RunSettings, Severity


def run_record(plan: Plan, settings: RunSettings, run: str, command: str) -> dict[str, Any]:
    """The record of a run: sources with fingerprints, mapping, settings; no key, no userinfo, no query."""
    send = settings.send
    record: dict[str, Any] = {
        "format": 1,
        "run": run,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "url": "sandbox" if settings.sandbox else show_url(settings.sink.url),
        "settings": {
            "rate": "none" if send.rate is None else f"{send.rate:g}/s",
            "concurrency": settings.sink.concurrency,
            "timeout": settings.sink.timeout,
            "retries": send.retries,
            "order": send.order,
            "on_ambiguous": send.on_ambiguous,
            "max_failures": str(send.max_failures),
            "max_outage": send.max_outage,
            "processes": send.processes,
        },
        "ledger": _ledger_record(settings.ledger_place),
        "rules": dict(plan.job.rules),
        "sources": [
            _source_record(source, name, plan.job.read_settings(index))
            for index, (source, name) in enumerate(zip(plan.sources, failed_file_names(plan), strict=True))
        ],
    }
    if show_url(settings.sink.url) != settings.sink.url and not settings.sandbox:
        record["url_had_more"] = True
    if isinstance(settings.ledger_place, Postgres) and settings.ledger_place.has_options:
        record["ledger_had_more"] = True
    if settings.again:
        record["again"] = True
    if settings.cluster is not None:
        record["settings"]["cluster"] = settings.cluster
    if plan.job.limit is not None:
        record["settings"]["limit"] = plan.job.limit
    if plan.job.sample is not None:
        record["settings"]["sample"] = plan.job.sample
    if plan.job.selection is not None:
        record["selection"] = sorted(plan.job.selection.wanted)
    if plan.job.mask:
        record["mask"] = _mask_record(plan.job.mask)
    if plan.job.mapping is not None:
        record["mapping"] = plan.job.mapping.document()
    return record


def _ledger_record(place: Path | Postgres) -> str:
    return str(place.resolve()) if isinstance(place, Path) else str(place)


def failed_file_names(plan: Plan) -> list[str]:
    """The names of the failed files of a plan's sources, in their order."""
    return failed_names([(PurePath(source.source.name).name, source.format) for source in plan.sources])


def _source_record(planned: SourcePlan, failed: str, read: ReadSettings) -> dict[str, Any]:
    assert planned.source.path is not None
    record: dict[str, Any] = {
        "name": planned.source.name,
        "path": str(planned.source.path.resolve()),
        "failed": failed,
        "format": planned.format,
        "encoding": planned.encoding,
        "rows": planned.rows,
        "length": planned.fingerprint.length,
        "digest": planned.fingerprint.digest,
        "uid": planned.uid,
        "read": {name: value for name, value in asdict(read).items() if value is not None},
    }
    if planned.header:
        record["header"] = list(planned.header)  # by which repaired rows are read, the source there or not
    optional = {"compression": planned.compression, "delimiter": planned.delimiter}
    return record | {name: value for name, value in optional.items() if value is not None}


def mapping_of(folder: RunFolder) -> Mapping | None:
    """The mapping that a run was made with; None if its records mapped themselves."""
    return mapping_in(folder.read_record())


def mapping_in(record: dict[str, Any]) -> Mapping | None:
    """The mapping that stands in a run's record."""
    document = record.get("mapping")
    return None if document is None else Mapping.parse(document, f"the mapping of run {record['run']}")


def keep_mask(folder: RunFolder, mask: Mask) -> None:
    """Note that a run which goes on masks more than before."""
    if mask and mask != mask_of(folder):
        folder.write_record({**folder.read_record(), "mask": _mask_record(mask)})


def _mask_record(mask: Mask) -> dict[str, Any]:
    return {
        "fields": list(mask.fields),
        "targets": sorted(list(target) for target in mask.targets),
        "columns": sorted(mask.columns),
    }


def mask_of(folder: RunFolder) -> Mask:
    """What the run was told not to show."""
    stored = folder.read_record().get("mask")
    if stored is None:
        return Mask()
    return Mask(
        fields=tuple(stored["fields"]),
        targets=frozenset(tuple(target) for target in stored["targets"]),
        columns=frozenset(stored["columns"]),
        salt=salt_of(folder.path.parent),
    )


def rules_of(folder: RunFolder) -> dict[str, Severity]:
    """The severities that a run was told to use."""
    return dict(folder.read_record().get("rules", {}))


def kept_sources(record: dict[str, Any]) -> list[tuple[Source, ReadSettings, dict[str, Any]]]:
    """The sources of a run's record: each, how it is read, and what stands there of it."""
    return [
        (Source(source["name"], Path(source["path"])), ReadSettings(**source.get("read", {})), source)
        for source in record.get("sources", [])
    ]


def failed_sources_of(folder: RunFolder) -> list[tuple[Path, ReadSettings]]:
    """The failed files that a run left, and how they are read."""
    sources = folder.read_record().get("sources", [])
    names = ((folder.failed / source["failed"], source) for source in sources)
    files = ((_whole_or_part(path), source) for path, source in names)
    return [(path, read_failed(source)) for path, source in files if path.is_file()]


def _whole_or_part(path: Path) -> Path:
    """A failed file, or what a run that was killed left of it."""
    return path if path.is_file() else path.with_name(path.name + PART)


def read_failed(source: dict[str, Any]) -> ReadSettings:
    """How the failed file of a source is read, by the source's record."""
    return failed_settings(source["format"], source.get("delimiter"))


def failed_settings(format_: str, delimiter: str | None) -> ReadSettings:
    """As a failed file is written: with a header and standard quoting, records as JSON Lines."""
    if format_ not in TABLES:
        return ReadSettings(format="jsonl", encoding="utf-8")
    return ReadSettings(format=format_, encoding="utf-8", delimiter=delimiter)


def read_of_failed_file(path: Path) -> ReadSettings | None:
    """How a file in a run's folder is read: as its run wrote it; None where no run wrote it there."""
    folder = run_of_failed_file(path)
    if folder is None:
        return None
    known = {source["failed"]: source for source in folder.read_record().get("sources", [])}
    source = known.get(EDITED.sub("", path.name).removesuffix(PART))
    return None if source is None else read_failed(source)


def run_of_failed_file(path: Path) -> RunFolder | None:
    """The run in whose folder a failed file lies."""
    folder = path.resolve().parent.parent
    return RunFolder(folder) if (folder / "run.toml").is_file() else None


def run_of_uid(uid: str, runs: Path) -> RunFolder | None:
    """The latest run that read a source of this content."""
    for folder in reversed(all_runs(runs)):
        if any(source.get("uid") == uid for source in folder.read_record().get("sources", [])):
            return folder
    return None
