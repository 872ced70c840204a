"""Which destination a key opens: an URL, and the environment behind it, told by salted hashes of keys."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.errors import UsageError

if TYPE_CHECKING:
    from replay.ledger.base import Store

_WORK: Final = {"n": 2**14, "r": 8, "p": 1}  # scrypt, about 50 ms: a key cannot be guessed from its hash


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a run sends.

    `key` None: a dry run without one. `private`: a sandbox of this run alone, known to no other.
    """

    url: str
    key: str | None = None
    same_target: bool = False
    again: bool = False
    private: bool = False


def find_target(store: Store, destination: Destination) -> int | None:
    """The target that a destination is, as far as it is known; None for one not seen before.

    Raises UsageError where the URL is known with other keys only, and nothing was said about it.
    """
    if destination.private:
        return None
    known = [
        int(target)
        for (target,) in store.ask(
            "SELECT id FROM targets WHERE url = ? AND NOT is_private ORDER BY environment DESC",
            destination.url,
        )
    ]
    if not known:
        return None
    if destination.key is None:
        return known[0]
    mine = _opened_by(store, hash_key(store, destination.key), known)
    if mine is not None:
        return mine
    if destination.same_target:
        return known[0]
    if destination.again:
        return None
    raise UsageError(
        f"Rows were sent to {destination.url} with another API key. "
        "If the key was rotated, add --same-target: rows delivered before stay delivered. "
        "If this key opens another environment, add --again: all are sent."
    )


def remember_target(store: Store, destination: Destination, found: int | None) -> int:
    """Write down a target and that this key opens it; returns its id. Within a transaction."""
    if found is None:
        last = store.one("SELECT max(environment) FROM targets WHERE url = ?", destination.url)
        found = int(
            store.one(
                "INSERT INTO targets (url, environment, is_private) VALUES (?, ?, ?) RETURNING id",
                destination.url,
                (last or 0) + 1,
                destination.private,
            )
        )
    if destination.key is not None:
        digest = hash_key(store, destination.key)
        store.tell("INSERT INTO keys VALUES (?, ?) ON CONFLICT DO NOTHING", found, digest)
    return found


def opens(store: Store, target: int, key: str) -> bool:
    """Whether a key is known to open a target."""
    return _opened_by(store, hash_key(store, key), [target]) is not None


def hash_key(store: Store, key: str) -> bytes:
    """A hash of a key that tells nothing of it, and is another one in every ledger."""
    return hashlib.scrypt(key.encode(), salt=store.one("SELECT salt FROM salt"), dklen=16, **_WORK)


def _opened_by(store: Store, digest: bytes, targets: list[int]) -> int | None:
    for target in targets:
        if store.one("SELECT 1 FROM keys WHERE target = ? AND hash = ?", target, digest):
            return target
    return None
