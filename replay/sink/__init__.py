"""Where rows go: one attempt over HTTP, what its answer means, the pace, and when to try again."""

from replay.sink.answer import Answer, Meaning
from replay.sink.budget import Budget
from replay.sink.exchange import Turn
from replay.sink.gate import CalledOff, Gate, Passage
from replay.sink.http import HttpSink
from replay.sink.masking import masked
from replay.sink.moments import SharedPace, SharedState, State
from replay.sink.pace import Pace
from replay.sink.proxy import proxy_for
from replay.sink.retry import Again, End, Stop, Tries, Verdict, judge
from replay.sink.throttle import Throttle

__all__ = [
    "Again",
    "Answer",
    "Budget",
    "CalledOff",
    "End",
    "Gate",
    "HttpSink",
    "Meaning",
    "Pace",
    "Passage",
    "SharedPace",
    "SharedState",
    "State",
    "Stop",
    "Throttle",
    "Tries",
    "Turn",
    "Verdict",
    "judge",
    "masked",
    "proxy_for",
]
