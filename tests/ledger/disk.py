"""A disk that loses power: what was written and not synced is there, or not, or torn.

`record` plays the scenario under a shim that writes down each write, truncation, sync and removal in
order. `Disk` takes them up to any moment, and `after_power_loss` makes a folder as it may be found
then: of each file the synced part whole, of the rest any choice. Shared memory (`-shm`) is gone, and
so is what was only marked in the mapped window.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

HEAD = struct.Struct("<cIQQ")
SECTOR = 512
SHIM = Path(__file__).with_name("shim.c")


@dataclass(frozen=True)
class Op:
    """`kind`: W(rite), T(runcate), S(ync), U(nlink)."""

    kind: str
    path: str
    offset: int
    data: bytes


@dataclass
class File:
    """`synced` is None where there is no file."""

    synced: bytes | None = None
    pending: list[Op] = field(default_factory=list)


def build_shim(folder: Path) -> Path:
    library = folder / "shim.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, SHIM, "-ldl"], check=True)
    return library


def record(shim: Path, folder: Path, mutant: str = "") -> list[Op]:
    """All that the scenario asks of the disk; files are named as they are in `folder`, `told` among them."""
    records = folder.with_name(f"{folder.name}.ops")
    folder.mkdir()
    told = {"LD_PRELOAD": str(shim), "RECORD_TO": str(records), "RECORD_UNDER": str(folder)}
    subprocess.run(
        [sys.executable, "-m", "ledger.scenario", folder / "ledger.sqlite", folder / "told", mutant],
        env=os.environ | told,
        check=True,
    )
    return list(_read(records.read_bytes(), len(str(folder)) + 1))


def _read(records: bytes, prefix: int) -> Iterator[Op]:
    at = 0
    while at < len(records):
        kind, path_length, offset, length = HEAD.unpack_from(records, at)
        at += HEAD.size
        path = records[at : at + path_length].decode()[prefix:]
        at += path_length
        size = length if kind == b"W" else 0
        yield Op(kind.decode(), path, offset, records[at : at + size])
        at += size


class Disk:
    """The files of a folder, each as it was last synced, and what was asked of it since."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.told: list[str] = []

    def take(self, op: Op) -> None:
        if op.path == "told":
            self.told += op.data.decode().splitlines() if op.kind == "W" else []
            return
        if not op.path:
            self._sync_folder()
            return
        file = self.files.setdefault(op.path, File())
        if op.kind == "S":
            file.synced = whole(file.synced, file.pending)
            file.pending = []
        else:
            file.pending.append(op)

    def _sync_folder(self) -> None:
        """What was removed stays so."""
        for file in self.files.values():
            gone = max((place for place, op in enumerate(file.pending, 1) if op.kind == "U"), default=0)
            file.synced = whole(file.synced, file.pending[:gone])
            del file.pending[:gone]

    def after_power_loss(self, folder: Path, keep: Callable[[list[Op]], list[Op]]) -> None:
        folder.mkdir()
        for path, file in self.files.items():
            found = whole(file.synced, keep(file.pending))
            if found is not None and not path.endswith("-shm"):
                (folder / path).write_bytes(found)


def whole(data: bytes | None, ops: list[Op]) -> bytes | None:
    for op in ops:
        if op.kind == "U":
            data = None
        elif op.kind == "T":
            data = (data or b"")[: op.offset].ljust(op.offset, b"\0")
        else:
            data = (data or b"").ljust(op.offset, b"\0")
            data = data[: op.offset] + op.data + data[op.offset + len(op.data) :]
    return data


def all_of(ops: list[Op]) -> list[Op]:
    return ops


def none_of(ops: list[Op]) -> list[Op]:
    return []


def some_of(rnd: random.Random) -> Callable[[list[Op]], list[Op]]:
    """Any choice of them, in order, some torn at a sector or at any byte; after a lost removal nothing."""

    def choose(ops: list[Op]) -> list[Op]:
        share = rnd.random()
        kept: list[Op] = []
        for op in ops:
            if rnd.random() < share:
                kept.append(_torn(op, rnd) if op.kind == "W" and rnd.random() < 0.3 else op)
            elif op.kind == "U":
                break
        return kept

    return choose


def _torn(op: Op, rnd: random.Random) -> Op:
    at = rnd.randint(0, len(op.data))
    at -= at % SECTOR if rnd.random() < 0.5 else 0
    if rnd.random() < 0.5:
        return Op("W", op.path, op.offset, op.data[:at])
    return Op("W", op.path, op.offset + at, op.data[at:])
