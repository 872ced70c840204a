"""Sending: a bounded number of rows in flight, a user's rows in order, and a clean stop."""

from replay.sender.attempts import Attempts
from replay.sender.limits import Limits
from replay.sender.sender import NO_ROWS, Announce, Sender, Sink
from replay.sender.settling import Watcher

__all__ = ["NO_ROWS", "Announce", "Attempts", "Limits", "Sender", "Sink", "Watcher"]
