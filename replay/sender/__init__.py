"""Sending: a bounded number of rows in flight, a user's rows in order, and a clean stop."""

from replay.sender.sender import Sender, Sink, Watcher

__all__ = ["Sender", "Sink", "Watcher"]
