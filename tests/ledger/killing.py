"""Kills a run at the n-th line of the ledger's code that it comes to, in a process of its own.

As a program: `python -m ledger.killing FOLDER HOW_MANY KILLS [MUTANT]` kills HOW_MANY times KILLS runs
in a row (the later ones are resumes), lets one more finish, and prints what is wrong as a JSON list.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import mutants, scenario

import replay.ledger
from replay.ledger import window

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ROOM = str(Path(replay.ledger.__file__).parent)
Line = tuple[str, int]


def traced(work: Callable[[], None], at_line: Callable[[Line], None]) -> None:
    """Do it, and be called at each line of the ledger's room."""

    def local(frame: FrameType, event: str, _: object) -> Callable[..., object]:
        if event == "line":
            at_line((frame.f_code.co_filename, frame.f_lineno))
        return local

    def enter(frame: FrameType, *_: object) -> Callable[..., object] | None:
        return local if frame.f_code.co_filename.startswith(ROOM) else None

    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(None)


def in_a_child(work: Callable[[], None]) -> int:
    """Do it in a process of its own; returns how that one ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        os._exit(1)


def killed_at(number: int, work: Callable[[], None]) -> None:
    left = number

    def count(_: Line) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    traced(work, count)


def points(folder: Path, how_many: int) -> list[int]:
    """Where to kill: once at every line that the scenario comes to, then anywhere."""
    seen: list[Line] = []
    traced(lambda: scenario.play(folder / "ledger.sqlite", lambda *_: None), seen.append)
    rnd = random.Random(7)
    places: dict[Line, list[int]] = {}
    for number, line in enumerate(seen, 1):
        places.setdefault(line, []).append(number)
    chosen = [rnd.choice(numbers) for numbers in places.values()]
    rnd.shuffle(chosen)
    return (chosen + [rnd.randint(1, len(seen)) for _ in range(how_many)])[:how_many]


def trial(folder: Path, kills: list[int]) -> list[str]:
    folder.mkdir()
    ledger, told = folder / "ledger.sqlite", folder / "told"
    told.touch()
    found: list[str] = []
    for number in kills:
        in_a_child(partial(killed_at, number, lambda: scenario.play(ledger, scenario.tell_to(told))))
    if in_a_child(lambda: scenario.play(ledger, scenario.tell_to(told))):
        return [f"{kills}: the resume failed"]
    said = scenario.read_back(ledger)
    found += [*scenario.faults(told.read_text().splitlines(), said), *scenario.missing(said)]
    if list(folder.glob("*.window")):
        found.append("a window is left")
    return [f"{kills}: {fault}" for fault in found]


def main(folder: Path, how_many: int, kills: int, mutant: str = "") -> list[str]:
    window.GROW_PAGES = 2  # type: ignore[misc]
    mutants.become(mutant)
    (folder / "seen").mkdir()
    rnd = random.Random(3)
    numbers = points(folder / "seen", how_many)
    trials = [[rnd.choice(numbers) for _ in range(kills - 1)] + [number] for number in numbers]
    return [fault for place, each in enumerate(trials) for fault in trial(folder / f"{place}", each[::-1])]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])))
