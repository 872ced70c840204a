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

    `key` None: a dry run without one. `private`: a sandbox of this run alone, known to no other. `bound`: the
    target of the run that is resumed or resent; only a key that opens it is good for that.
    """

    url: str
    key: str | None = None
    same_target: bool = False
    again: bool = False
    private: bool = False
    bound: int | None = None


def find_target(store: Store, destination: Destination) -> int | None:
    """The target that a destination is, as far as it is known; None for one not seen before.

    Raises UsageError where the URL is known with other keys only, and nothing was said about it.
    """
    if destination.private:
        return None
    if destination.bound is not None:
        return _find_bound(store, destination, destination.bound)
    known = [
        int(target)
        for (target,) in store.ask(
            "SELECT id FROM targets WHERE url = ? AND NOT is_private ORDER BY environment DESC",
            destination.url,
        )
    ]
    return _find_open(store, destination, known) if known else None


def _find_open(store: Store, destination: Destination, known: list[int]) -> int | None:
    """The environment of a known URL that a key opens; None for a new one."""
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


def _find_bound(store: Store, destination: Destination, bound: int) -> int | None:
    """The target of a run that is resumed or resent, or with `again` another environment of its URL."""
    ((url, environment),) = store.ask("SELECT url, environment FROM targets WHERE id = ?", bound)
    if url != destination.url:
        raise UsageError(
            f"The ledger {store.name} says that the run sends to {url}, and its run.toml says "
            f"{destination.url}. Nothing was sent: look who changed the runs folder."
        )
    if destination.key is None:
        return bound
    digest = hash_key(store, destination.key)
    if _opened_by(store, digest, [bound]) is not None:
        return bound
    others = store.ask("SELECT id, environment FROM targets WHERE url = ? AND id <> ?", url, bound)
    mine = _opened_by(store, digest, [other for other, _ in others])
    if mine is not None and not destination.again:
        raise UsageError(
            f"This API key is known to open environment {dict(others)[mine]} of {url}, and the run sends to "
            f"environment {environment}. Nothing was sent: give the key of the run's environment."
        )
    if destination.same_target:
        return bound
    if destination.again:
        return mine
    raise UsageError(
        f"This API key is not known to open {url} (environment {environment}), where the run sends. "
        "If it is the run's own key that was rotated, add --same-target."
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


def environment_of(store: Store, target: int) -> tuple[str, int]:
    """The URL of a target, and the number of its environment there."""
    ((url, environment),) = store.ask("SELECT url, environment FROM targets WHERE id = ?", target)
    return str(url), int(environment)


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
