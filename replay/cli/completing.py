"""What a shell offers when Tab is pressed: runs, columns of the files on the line, rules, presets.

A line that is not whole yet may be wrong in every way: what cannot be found out is not offered, in silence.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

TARGETS: Final = (
    "event.key=",
    "event.value=",
    "event.properties.",
    "user.userId=",
    "user.deviceId=",
    "user.identifiers.",
    "user.properties.",
)
RUNS_OFFERED: Final = 50


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """The ids of runs, the latest first, and `last`."""

    def known() -> Iterator[str]:
        from replay.report import all_runs

        yield "last"
        folder = context.params.get("runs") or context.params.get("folder") or "replay-runs"
        yield from (run.run for run in reversed(all_runs(Path(folder))[-RUNS_OFFERED:]))

    return _offered(known, incomplete)


def runs_or_files(context: typer.Context, incomplete: str) -> list[str]:
    """Runs, and the failed files that they left."""

    def files() -> Iterator[str]:
        folder = Path(context.params.get("runs") or "replay-runs")
        yield from (str(path) for path in sorted(folder.glob("*/failed/*"), reverse=True)[:RUNS_OFFERED])

    return runs(context, incomplete) + (_offered(files, incomplete) if incomplete else [])


def assignments(context: typer.Context, incomplete: str) -> list[str]:
    """Targets of a mapping; after the `=`, columns of the first source on the line."""
    target, sign, column = incomplete.partition("=")
    if not sign:
        return _offered(lambda: TARGETS, incomplete)
    return [f"{target}={name}" for name in _offered(lambda: _columns_of(context), column)]


def sources(context: typer.Context, incomplete: str) -> list[str]:
    """Nothing, so that the shell offers files; but columns where Bash took `--set TARGET=` apart."""
    is_apart = (context.params.get("sources") or [""])[-1] == "="
    return columns(context, incomplete) if is_apart else []


def columns(context: typer.Context, incomplete: str) -> list[str]:
    """Columns of the first source on the line."""
    return _offered(lambda: _columns_of(context), incomplete)


def rules(context: typer.Context, incomplete: str) -> list[str]:
    """Rules; after the `=`, what they can be set to."""
    rule, sign, severity = incomplete.partition("=")

    def ids() -> Iterator[str]:
        from replay.rules import RULES

        yield from (f"{rule}=" for rule in RULES)

    def severities() -> Iterable[str]:
        from replay.settings import SEVERITIES

        return SEVERITIES

    return (
        [f"{rule}={word}" for word in _offered(severities, severity)] if sign else _offered(ids, incomplete)
    )


def outcomes(context: typer.Context, incomplete: str) -> list[str]:
    """Outcomes that can be sent again."""

    def words() -> Iterable[str]:
        from replay.pipeline.resend import FAILED_OUTCOMES

        return FAILED_OUTCOMES

    done, comma, last = incomplete.rpartition(",")
    return [done + comma + word for word in _offered(words, last)]


def presets(context: typer.Context, incomplete: str) -> list[str]:
    """The mappings that come along, by name."""

    def names() -> Iterator[str]:
        files = resources.files("replay.mapping").joinpath("presets").iterdir()
        yield from sorted(Path(file.name).stem for file in files if file.name.endswith(".toml"))

    return _offered(names, incomplete)


def _columns_of(context: typer.Context) -> Iterator[str]:
    from replay.settings import ReadSettings
    from replay.source import find, open_source

    names = ("format_", "encoding", "delimiter", "quotechar")
    read = ReadSettings(**{name.rstrip("_"): context.params.get(name) for name in names})
    typed = [
        *(context.params.get("sources") or []),
        *context.args,
    ]  # an option without its value ends parsing
    source = find(typed[:1], read)[0]
    with open_source(source, read) as reader:
        if reader.header:
            yield from reader.header
            return
        for chunk in reader:
            yield from chunk.record(0)
            return


def _offered(words: Callable[[], Iterable[str]], incomplete: str) -> list[str]:
    """Those that begin so."""
    try:
        return [word for word in words() if word.startswith(incomplete)]
    except Exception:
        return []
