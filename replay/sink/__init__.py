"""Where rows go: one attempt over HTTP, what its answer means, the pace, and when to try again."""

from replay.sink.answer import Answer, Meaning
from replay.sink.http import HttpSink
from replay.sink.retry import Again, End, Stop, Tries, Verdict, judge
from replay.sink.throttle import Throttle

__all__ = ["Again", "Answer", "End", "HttpSink", "Meaning", "Stop", "Throttle", "Tries", "Verdict", "judge"]
