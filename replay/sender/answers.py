"""How many attempts got which answer, and how many took how long: counted in few steps, told in groups."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay.report.steps import NO_ANSWER, step_of


@dataclass(slots=True)
class Answers:
    """What came back since it was last taken.

    `statuses`: attempts by status, NO_ANSWER for none. `latencies`: attempts by the step of `step_of`.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: dict[int, int] = field(default_factory=dict)

    def add(self, status: int | None, seconds: float) -> None:
        """Count one attempt that took so long."""
        status, step = status or NO_ANSWER, step_of(seconds)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies[step] = self.latencies.get(step, 0) + 1

    def add_all(self, statuses: dict[int, int], latencies: dict[int, int]) -> None:
        """Count what others have counted."""
        for status, attempts in statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + attempts
        for step, attempts in latencies.items():
            self.latencies[step] = self.latencies.get(step, 0) + attempts

    def take(self) -> tuple[dict[int, int], dict[int, int]]:
        """What was counted; the count begins anew."""
        taken = self.statuses, self.latencies
        self.statuses, self.latencies = {}, {}
        return taken
