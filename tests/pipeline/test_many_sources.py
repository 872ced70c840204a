"""What a plan costs grows with the number of sources, not with its square; and it shows how far it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from replay.console.progress import LINE_SECONDS, ReadingLines
from replay.errors import UsageError
from replay.mapping import Mapping
from replay.pipeline import refusing
from replay.pipeline.api import find_stored, make_job
from replay.pipeline.choosing import Known
from replay.pipeline.planning import make_plan
from replay.settings import ReadSettings

if TYPE_CHECKING:
    from pathlib import Path

    from replay.pipeline.plan import Plan

MAPPING = Mapping.empty().with_set(["event.key=e", "user.userId=u"])
FIRST = "e,u\nopen,1\n"


def planned(folder: Path, watch: Any = None) -> Plan:
    read = ReadSettings()
    return make_plan(make_job(find_stored([folder], read, folder), MAPPING, read), Known(), watch)


@pytest.mark.parametrize("grows", [True, False])
def test_sources_that_begin_alike_are_read_once_more_at_most(
    grows: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(30):
        (tmp_path / f"{n:02}.csv").write_text(FIRST + f"close,{n:02}\n" * (1 + n * grows))
    reads: list[str] = []
    fingerprint_of = refusing.fingerprint_of

    def counted(source: Any, *more: Any) -> Any:
        reads.append(source.name)
        return fingerprint_of(source, *more)

    monkeypatch.setattr(refusing, "fingerprint_of", counted)
    assert planned(tmp_path).valid == sum(2 + n * grows for n in range(30))
    assert len(reads) == len(set(reads)) < 30


@pytest.mark.parametrize("names", ["abc", "cba", "bca"])
@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_a_source_that_begins_with_another_is_refused_in_any_order(
    names: str, end: str, tmp_path: Path
) -> None:
    short, long, other = (tmp_path / f"{name}.csv" for name in names)
    short.write_bytes((FIRST + "close,1").encode() + end.encode())
    long.write_bytes((FIRST + "close,1").encode() + (end or "\n").encode() + b"more,1\n")
    other.write_text(FIRST + "close,2\nclose,3\n")
    with pytest.raises(UsageError, match=rf"{names[1]}\.csv begins with all of \S*{names[0]}\.csv"):
        planned(tmp_path)


def test_every_source_moves_the_plan_on_with_or_without_rows(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.csv").write_text("e,u\n" + f"open,{n}\n" * (n % 2))
    told: list[tuple[int, int]] = []
    planned(tmp_path, lambda done, total: told.append((done, total)))
    sizes = [(tmp_path / f"{n}.csv").stat().st_size for n in range(5)]
    assert {done for done, _ in told} == {sum(sizes[: n + 1]) for n in range(5)}


def test_without_a_terminal_reading_is_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    watch = ReadingLines(lambda: now)
    for done in range(0, 1_000, 10):
        now = done * LINE_SECONDS / 250
        watch(done, 1_000)
    assert capsys.readouterr().err.splitlines() == [
        "reading: 25 %, 250 of 1,000 bytes",
        "reading: 50 %, 500 of 1,000 bytes",
        "reading: 75 %, 750 of 1,000 bytes",
    ]
