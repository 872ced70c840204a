"""A scheduler and workers as processes of their own, as they are started in earnest."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cli.desk import KEY, TOP

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_SECONDS = 300.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Cluster:
    """A scheduler and some workers, from `with` to their end. `env`: what the workers find beside ours."""

    def __init__(self, folder: Path, workers: int, env: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._env = {**os.environ, "PYTHONPATH": str(TOP), "HACKLE_API_KEY": KEY, **(env or {})}
        self._count = workers
        self.port = free_port()
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self._folder / "dask.log"

    def __enter__(self) -> Self:
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self.port)
        )
        for _ in range(self._count):
            self.add()
        self.until(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()

    def add(self, **env: str) -> subprocess.Popen[bytes]:
        worker = self._start(
            "distributed.cli.dask_worker",
            self.address,
            *("--nthreads", "2", "--no-nanny", "--no-dashboard", "--local-directory", str(self._folder)),
            **env,
        )
        self.workers.append(worker)
        return worker

    def until(self, workers: int) -> None:
        """Wait until so many workers have joined."""
        from distributed import Client  # noqa: PLC0415

        with Client(self.address, timeout=WAIT_SECONDS, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=WAIT_SECONDS)

    def _start(self, module: str, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
            if "scheduler" in module:
                command += ["--dashboard-address", ":0", "--no-dashboard"]
            return subprocess.Popen(command, cwd=self._folder, env=self._env | env, stdout=log, stderr=log)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Let a process do nothing more, as a machine does that is frozen."""
    process.send_signal(signal.SIGSTOP)


def go_on(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)


def until(condition, seconds: float = WAIT_SECONDS) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)
