"""Several that send at one pace: by numbers in a file that all of them map."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sink.test_throttle import Clock, most_in_a_second, passages

from replay.sink import SharedPace, SharedState, Throttle
from replay.sink.pace import CLIMB_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ADD = """
import sys
from replay.sink import SharedState
state = SharedState(int(sys.argv[1]))
for _ in range(3000):
    with state:
        state.tried += 1
"""


@pytest.fixture
def file() -> Iterator[int]:
    with tempfile.TemporaryFile() as pace:
        SharedState.make(pace.fileno())
        yield pace.fileno()


@settings(deadline=None, max_examples=30)
@given(
    rate=st.sampled_from([0.9, 1.0, 10.0, 100.0, 1000.0]),
    lateness=st.lists(st.floats(0, 0.005) | st.floats(0, 0.2), min_size=1, max_size=20),
)
def test_those_that_share_a_file_keep_one_rate_together(rate: float, lateness: list[float]) -> None:
    turns = iter(lateness * 2000)
    clock = Clock(lambda: next(turns, 0.0))

    async def story(pace: int) -> list[float]:
        throttles = [Throttle(rate, clock.time, clock.sleep, SharedState(pace)) for _ in range(3)]
        number = int(rate) + 5
        gone = await asyncio.gather(*(passages(throttle, clock, number, 4) for throttle in throttles))
        return sorted(chain.from_iterable(gone))

    with tempfile.TemporaryFile() as pace:
        SharedState.make(pace.fileno())
        assert most_in_a_second(asyncio.run(story(pace.fileno()))) <= 1.02 * rate + 1


def test_one_pauses_and_slows_down_all(file: int) -> None:
    clock = Clock()
    one, other = (Throttle(100.0, clock.time, clock.sleep, SharedState(file)) for _ in range(2))
    one.pause(5.0, "Retry-After")
    one.lower(0.0, 5.0)
    assert other.waiting_for == "a wait for all: 5 s more"
    assert not other.take()
    assert other.rate_now == one.rate_now == 70.0
    clock.now = 5.0 + CLIMB_SECONDS
    assert other.take()
    assert other.rate_now == 100.0


def test_whoever_asks_for_the_rate_takes_back_no_lowering(file: int) -> None:
    clock = Clock()
    one, other = (Throttle(100.0, clock.time, clock.sleep, SharedState(file)) for _ in range(2))
    one.lower(0.0)
    clock.now = 2 * CLIMB_SECONDS
    assert other.rate_now == 100.0
    one.lower(clock.now)
    assert other.rate_now == 70.0


def test_processes_that_count_at_the_same_time_miss_nothing(file: int) -> None:
    command = [sys.executable, "-c", ADD, str(file)]
    running = [subprocess.Popen(command, pass_fds=(file,)) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert SharedState(file).tried == 9_000


def test_a_process_that_dies_lets_go_of_the_lock(file: int) -> None:
    command = ADD.replace("state.tried += 1", "import os; os.kill(os.getpid(), 9)")
    died = subprocess.run([sys.executable, "-c", command, str(file)], pass_fds=(file,), check=False)
    assert died.returncode == -9
    with SharedState(file) as state:
        state.tried += 1
    assert state.tried == 1


# Live runs to one target

JOIN = """
import sys
from pathlib import Path
from replay.sink import SharedPace
with SharedPace(Path(sys.argv[1]), float(sys.argv[2])):
    print("joined", flush=True)
    sys.stdin.read()
"""


def joined(place: Path, rate: float) -> subprocess.Popen[str]:
    """Another process that keeps a rate at this place until it is told to leave, or is killed."""
    command = [sys.executable, "-c", JOIN, str(place), str(rate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "joined\n"
    return process


@settings(deadline=None, max_examples=20)
@given(rates=st.lists(st.sampled_from([20.0, 50.0, 7.0, None]), min_size=2, max_size=3))
def test_live_runs_to_one_target_keep_the_lowest_of_their_rates_together(rates: list[float | None]) -> None:
    typed = [rate for rate in rates if rate is not None] or [30.0]
    clock = Clock()

    async def story(paces: list[SharedPace]) -> list[float]:
        own = [*rates, *(typed if set(rates) == {None} else [])]
        throttles = [
            Throttle(rate, clock.time, clock.sleep, pace.state)
            for rate, pace in zip(own, paces, strict=False)
        ]
        gone = await asyncio.gather(*(passages(throttle, clock, 60, 4) for throttle in throttles))
        assert {throttle.rate_now for throttle in throttles} == {min(typed)}
        return sorted(chain.from_iterable(gone))

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        own = [*rates, *(typed if set(rates) == {None} else [])]
        paces = [stack.enter_context(SharedPace(Path(folder, "pace"), rate)) for rate in own]
        assert most_in_a_second(asyncio.run(story(paces))) <= 1.02 * min(typed) + 1


@pytest.mark.parametrize("killed", [True, False])
def test_a_run_that_ended_or_was_killed_counts_no_more(tmp_path: Path, killed: bool) -> None:
    with SharedPace(tmp_path / "pace", 50.0) as pace:
        throttle = Throttle(50.0, time.monotonic, state=pace.state)
        other = joined(tmp_path / "pace", 1 / 3600)
        assert throttle.rate_now == pytest.approx(1 / 3600)
        assert throttle.take()
        assert not throttle.take()  # for an hour
        if killed:
            other.send_signal(signal.SIGKILL)
        other.communicate("")
        pace.look()
        assert throttle.rate_now == 50.0
        assert pace.state.next <= time.monotonic() + 1 / 50
        assert len(list(tmp_path.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["pace.lock"]


def test_what_a_killed_run_left_does_not_hold_the_next(tmp_path: Path) -> None:
    first = joined(tmp_path / "pace", 1 / 3600)
    first.kill()
    first.communicate()
    with SharedPace(tmp_path / "pace", 50.0) as pace:
        throttle = Throttle(50.0, time.monotonic, state=pace.state)
        assert throttle.rate_now == 50.0
        assert throttle.take()


def test_a_pause_that_one_run_was_asked_for_holds_for_all_to_the_target(tmp_path: Path) -> None:
    with SharedPace(tmp_path / "pace", 50.0) as one, SharedPace(tmp_path / "pace", 20.0) as other:
        Throttle(50.0, time.monotonic, state=one.state).pause(60.0, "Retry-After")
        assert not Throttle(20.0, time.monotonic, state=other.state).take()


def test_a_run_does_not_sleep_on_for_the_slot_of_a_slower_one_that_left(tmp_path: Path) -> None:
    async def story() -> float:
        with SharedPace(tmp_path / "pace", 100.0) as fast:
            throttle = Throttle(100.0, time.monotonic, state=fast.state)
            with SharedPace(tmp_path / "pace", 1 / 3600) as slow:
                assert Throttle(1 / 3600, time.monotonic, state=slow.state).take()
                waiting = asyncio.ensure_future(throttle.turn())
                await asyncio.sleep(0)
                assert not waiting.done()
            fast.look()
            await asyncio.wait_for(waiting, 60)
            await asyncio.wait_for(throttle.connects(), 60)
            return throttle.clock()

    assert asyncio.run(story())


def test_a_pause_outlasts_a_slower_run_that_leaves(tmp_path: Path) -> None:
    with SharedPace(tmp_path / "pace", 100.0) as fast:
        throttle = Throttle(100.0, time.monotonic, state=fast.state)
        with SharedPace(tmp_path / "pace", 1 / 3600) as slow:
            assert Throttle(1 / 3600, time.monotonic, state=slow.state).take()
            throttle.pause(100.0, "Retry-After")
        fast.look()
        assert fast.state.next >= time.monotonic() + 90
        assert throttle.waiting_for is not None


def test_a_run_ends_as_usual_where_its_folder_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    with SharedPace(folder / "pace", 100.0):
        folder.rename(tmp_path / "moved")


def test_a_lock_on_the_folder_itself_keeps_no_run_waiting(tmp_path: Path) -> None:
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with SharedPace(tmp_path / "pace", 100.0) as pace:
        pace.look()
    os.close(held)
