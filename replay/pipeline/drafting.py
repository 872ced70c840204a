"""`map`: a mapping drafted by looking at the data, or a preset that fits it."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from replay.errors import MappingError, SourceError, UsageError
from replay.mapping import Mapping, bind, presets
from replay.mapping.drafting import SNOWPLOW, Draft, Scan, count, drafted, from_preset, personal_in, recognise
from replay.pipeline.api import as_read
from replay.pipeline.plan import stamp_of
from replay.settings import ReadSettings
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from replay.pipeline.planning import Watch
    from replay.source import Source

SECONDS: Final = 20.0
"""How long a draft looks at data; what it has not seen by then is told."""

_UNQUOTED: Final = ReadSettings(format="tsv", delimiter="\t", quotechar="")


@dataclass(frozen=True, slots=True)
class Looking:
    """How a draft looks: with what settings sources are read, by which clock, and who watches.

    `watch` is told the bytes read of all sources, and their size.
    """

    read: ReadSettings
    clock: Callable[[], float]
    watch: Watch | None = None
    seconds: float = SECONDS


def draft(sources: Sequence[Source], looking: Looking, preset: str | None = None) -> Draft:
    """A mapping for these sources: the preset that is named or that fits them, else a draft.

    Raises MappingError where a preset that is named does not fit.
    """
    named = ", ".join(source.name for source in sources)
    if preset is not None:
        notes = _fit(Mapping.preset(preset), sources, looking.read)
        return _of_preset(preset, f"The preset {preset}, for {named}.", looking, notes)
    found = {_recognised(source, looking.read) for source in sources}
    if len(found - {None}) > 1:
        shapes = ", ".join(sorted(str(shape) for shape in found if shape))
        raise MappingError(
            f"{named}: exports of different shapes ({shapes}), and one mapping cannot fit them all. "
            "Draft one for each."
        )
    (shape,) = found if len(found) == 1 else (None,)
    if shape is not None:
        with suppress(MappingError):
            notes = _fit(Mapping.preset(shape), sources, looking.read)
            about = f"Recognised by its shape: {named}. This is the preset {shape}."
            recognised = f"Recognised by its shape: the preset {shape} fits."
            return _of_preset(shape, about, looking, [recognised, *notes])
    return _draft(sources, looking, named)


def _of_preset(name: str, about: str, looking: Looking, notes: list[str]) -> Draft:
    made = from_preset(name, about, looking.read)
    made.notes += notes
    return made


def _recognised(source: Source, read: ReadSettings) -> str | None:
    """Whose export a source is; a table without header and quoting is looked at once more as such."""
    fault: SourceError | None = None
    try:
        with open_source(source, read) as reader:
            chunk = next((chunk for chunk in reader if len(chunk)), None)
            records = chunk.records(200) if chunk is not None and chunk.kind == "records" else []
            if (shape := recognise(reader.header, records)) or records:
                return shape
    except SourceError as error:
        fault = error
    if read.delimiter is None and read.quotechar is None and read.format in (None, "tsv"):
        with suppress(SourceError), open_source(source, replace(_UNQUOTED, encoding=read.encoding)) as reader:
            if recognise(reader.header, []) == SNOWPLOW:
                return SNOWPLOW
    if fault is not None:
        raise fault
    return None


def _fit(mapping: Mapping, sources: Sequence[Source], read: ReadSettings) -> list[str]:
    """Fit a mapping to the beginning of each source; returns what a person should know of the rows there.

    Raises MappingError where it does not fit.
    """
    unseen: list[dict[str, str]] = []
    personal: dict[str, str] = {}
    for source in sources:
        with open_source(source, as_read(mapping, read)) as reader:
            chunk = next((chunk for chunk in reader if len(chunk)), None)
            if chunk is None:
                if reader.header:
                    bind(mapping, "table", reader.header, source.name, None)
                continue
            bound = bind(mapping, chunk.kind, chunk.header, source.name, chunk.frame)
            kept = bound.keep(chunk)
            personal.update(personal_in(bound.apply(kept)) if len(kept) else ())
            unseen.append(bound.unseen())
    for text, words in unseen[0].items() if unseen else ():
        if all(text in missing for missing in unseen):
            raise MappingError(words)
    return [
        f"{target} looks like personal data: {what}. If it is, leave it out, or map another column."
        for target, what in personal.items()
    ]


def _draft(sources: Sequence[Source], looking: Looking, named: str) -> Draft:
    scan = Scan()
    end = looking.clock() + looking.seconds
    whole = True
    sizes = [stamp_of(source)[0] for source in sources]
    for index, source in enumerate(sources):
        if looking.clock() >= end:
            whole = False
            break
        for position in _scan(scan, source, looking.read):
            if looking.watch is not None:
                looking.watch(sum(sizes[:index]) + position, sum(sizes))
            if looking.clock() >= end:
                whole = False
                break
    if not scan.rows:
        raise UsageError(f"{named}: no row that can be read, so there is nothing to draft from.")
    rows = count(scan.rows, "row")
    seen = f"all {rows}" if scan.rows > 1 else "the only row"
    if not whole:
        seen = f"the first {rows}, as many as {looking.seconds:g} s allowed"
    made = drafted(scan, f"Drafted by `replay map` from {named}, after a look at {seen}.", looking.read)
    made.notes.insert(0, f"Looked at {seen}.")
    if scan.unreadable:
        made.notes.append(f"{count(scan.unreadable, 'row')} could not be read; `replay check` says why.")
    return made


def _scan(scan: Scan, source: Source, read: ReadSettings) -> Iterator[int]:
    """Look at the rows of a source; yields how many of its bytes were read, where more may follow."""
    with open_source(source, read) as reader:
        chunks = iter(reader)
        chunk = next(chunks, None)
        if chunk is not None:
            scan.begin(chunk.kind, reader.header)
        while chunk is not None:
            scan.add(chunk)
            position, chunk = chunk.position, next(chunks, None)
            if chunk is not None:
                yield position


def check_command(sources: Sequence[str], mapping: str) -> str:
    """What to type to check sources by a mapping."""
    return f"replay check {shlex.join(sources)} --map {shlex.quote(mapping)}"


def preset_names() -> dict[str, str]:
    """The presets, and what each is for."""
    return {name: presets.about(name) for name in presets.names()}
