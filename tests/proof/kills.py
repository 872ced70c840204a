"""A campaign of kills: runs on a bad day, each killed at random moments until it may finish."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Final

from proof.bench import PRODUCT, SLICE_SECONDS, Bench, Judge, Seen, Told, kill
from proof.faults import MIXED, Plan
from proof.verdict import Figures, judged, judged_resent

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

CONCURRENCY: Final = 16
STARTUP_SECONDS: Final = 1.8  # a process is at work on its first rows by then
FINISHING_SECONDS: Final = 0.3

Verdict = Callable[[Told, Seen, int, int, int], Figures]
VERDICTS: Final[dict[str, Verdict]] = {"hold": judged, "resend": judged_resent}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """How runs are killed: so many `kills` in all, at most `kills_a_run`; `rows` in each run.

    `processes`: how many send, apart from the one that is killed if they are more than one; `product`: what
    is typed for `replay`; `moments`: how often a kill comes at any moment, midway, and at the end;
    `latency`: seconds, at most, that the server takes. The same `seed` meets the same faults and the same
    kinds of moments; which instruction a kill hits is for the machine to say.
    """

    kills: int
    policy: str = "hold"
    rows: int = 1_200
    kills_a_run: int = 8
    seed: int = 1
    product: Sequence[str] = PRODUCT
    processes: int = 1
    latency: float = 0.02
    moments: tuple[int, int, int] = (3, 5, 2)

    def parts(self, workers: int) -> list[Campaign]:
        """As many campaigns with as many kills in all."""
        shares = [self.kills // workers + (number < self.kills % workers) for number in range(workers)]
        return [
            replace(self, kills=share, seed=self.seed * 1_000 + number) for number, share in enumerate(shares)
        ]


def wage(campaign: Campaign, folder: Path, workers: int = 2) -> Figures:
    """Carry a campaign out; each worker has a judge of its own."""
    parts = [part for part in campaign.parts(workers) if part.kills]
    with ThreadPoolExecutor(len(parts)) as pool:
        ended = pool.map(_wage_alone, parts, [folder / f"worker{part.seed}" for part in parts])
        return reduce(add, ended)


def _wage_alone(campaign: Campaign, folder: Path) -> Figures:
    folder.mkdir()
    figures = Figures()
    with Judge() as judge:
        number = 0
        while figures.kills < campaign.kills:
            number += 1
            left = min(campaign.kills_a_run, campaign.kills - figures.kills)
            figures += run_killed(campaign, Chance(campaign, number), judge, folder / f"run{number}", left)
    return figures


class Chance:
    """The dice of one run."""

    def __init__(self, campaign: Campaign, number: int) -> None:
        self.seed = campaign.seed * 100_000 + number
        self._random = random.Random(self.seed)
        self._moments = campaign.moments
        self.rate = self._random.choice(("none", "2000/s"))

    def strike(self, bench: Bench, process: subprocess.Popen[bytes]) -> bool:
        """Kill at a random moment: any, right after so many more rows, or at the very end."""
        kind = self._random.choices(("any", "midway", "end"), self._moments)[0]
        here = bench.rows_read()
        left = bench.rows - here
        if kind == "any":
            self._sleep(process, STARTUP_SECONDS)
        elif kind == "midway" and left > 0:
            bench.until(process, here + self._random.randint(1, left))
        else:
            bench.until(process, bench.rows - self._random.randint(0, CONCURRENCY))
            self._sleep(process, FINISHING_SECONDS)
        return kill(process)

    def _sleep(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        end = time.monotonic() + self._random.uniform(0, seconds)
        while process.poll() is None and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))


def run_killed(campaign: Campaign, chance: Chance, judge: Judge, folder: Path, kills: int) -> Figures:
    """One run with at most so many kills, to its end; says what it came to."""
    plan = Plan(seed=chance.seed, shares=MIXED, latency=campaign.latency, unread=0.02)
    bench = Bench(folder, judge, plan, campaign.rows, users=campaign.rows // 3)
    bench.product = campaign.product
    done = 0
    while done < kills and chance.strike(bench, _begin_or_go_on(bench, campaign, chance)):
        done += 1
    told = bench.end(_begin_or_go_on(bench, campaign, chance))
    figures = VERDICTS[campaign.policy](told, bench.seen, campaign.rows, done, CONCURRENCY)
    return replace(figures, faults=tuple(f"{folder.name}: {fault}" for fault in figures.faults))


def _begin_or_go_on(bench: Bench, campaign: Campaign, chance: Chance) -> subprocess.Popen[bytes]:
    if bench.has_begun:
        return bench.resume()
    options = ("--rate", chance.rate, "--on-ambiguous", campaign.policy, "--timeout", "3")
    options += ("--processes", str(campaign.processes), "--concurrency", str(CONCURRENCY))
    return bench.send(*options)
