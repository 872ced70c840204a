"""A bench whose product sends by a cluster: four files of numbered rows, and leases that are soon over."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cli.desk import KEY
from proof.bench import MAP, Bench

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from cluster.dask import Cluster
    from postgres import Server
    from proof.bench import Judge, Told
    from proof.faults import Plan

LEASE_SECONDS = 4.0  # long enough for a machine that is busy with other tests
PRODUCT = (
    sys.executable,
    "-c",
    "import sys; from replay.cli import run; from replay.ledger import postgres; "
    f"postgres.LEASE_SECONDS = {LEASE_SECONDS}; sys.exit(run(sys.argv[1:]))",
)
FILES = 4
USERS = 300


class ClusterBench(Bench):
    """`rows` of them in FILES files, sent with `timeout` seconds for a request."""

    def __init__(
        self, folder: Path, judge: Judge, plan: Plan, rows: int, cluster: Cluster, postgres: Server
    ) -> None:
        super().__init__(folder, judge, plan, rows, USERS)
        self.product = PRODUCT
        self._cluster = cluster
        self._postgres = postgres
        (folder / "rows.csv").unlink()
        (folder / "map.toml").write_text(MAP)
        (folder / "key").write_text(KEY)
        (folder / "key").chmod(0o600)
        for part in range(FILES):
            numbers = range(part * rows // FILES + 1, (part + 1) * rows // FILES + 1)
            lines = "".join(f"buy,user{self.user_of(row)},{row}\n" for row in numbers)
            (folder / f"rows-{part + 1}.csv").write_text("event,user,row\n" + lines)

    def sending(self, *options: str) -> list[str]:
        files = [f"rows-{part + 1}.csv" for part in range(FILES)]
        address = ["--cluster", self._cluster.address, "--ledger", self._postgres.url, "--url", self.url]
        return ["send", *files, "--map", "map.toml", *address, *self.common, "--yes", "--json", *options]

    @property
    def common(self) -> list[str]:
        return ["--timeout", "3", "--api-key-file", "key"]

    def resume(self, *options: str) -> subprocess.Popen[bytes]:
        """Go on with the run; its record keeps no user of the ledger."""
        return super().resume("--ledger", self._postgres.url, *self.common, *options)

    def resume_when_free(self, *options: str) -> Told:
        """Go on with the run as soon as everybody who might be at work on it is known not to be."""
        give_up = time.monotonic() + 300
        while True:
            process = self.resume(*options)
            process.wait()
            if "is at work right now" not in (self.folder / "out").read_text() or time.monotonic() > give_up:
                return self.end(process)
            time.sleep(0.5)
