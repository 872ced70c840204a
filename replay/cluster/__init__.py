"""A run on a cluster: its rows in shares, one rate, one ledger, the same promise as on one machine.

Dask starts the workers and is asked for nothing else: it may run a task twice, late, or never, and nothing of
the promise rests on it. What does is in `replay.ledger.shares` (who may send which rows, and what is known
of them after a kill) and `replay.cluster.lending` (when a request may leave).

    keeper   whoever typed the command: keeps the run's book, deals shares, writes down what workers tell
    worker   a task of a Dask worker: claims a share, reads the sources itself, sends its users' rows
"""

from replay.cluster.engine import require_engine
from replay.cluster.keeper import Keeper
from replay.cluster.messages import Reply, Task, decode_task, encode_reply
from replay.cluster.worker import Worker

__all__ = ["Keeper", "Reply", "Task", "Worker", "decode_task", "encode_reply", "require_engine"]
