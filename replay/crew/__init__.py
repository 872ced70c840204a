"""Sender processes: the rows of a run in shares, one rate, one ledger, the same promise as one process."""

from replay.crew.crew import Crew

__all__ = ["Crew"]
