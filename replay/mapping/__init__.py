"""The field map: how records become requests. A door.

Behind it lie:

the mapping: fieldmap (as a file or options write it), fields and paths (its words)
a source: binding (a mapping fitted to it), finders, itself (sources that need no
mapping), tracing (what fills what)
a chunk: bound (a column a target), api (records of the API's shape), users (whose row it is)
values: casts, numbers, cells, times, columns; encoding (request bodies); profiling (what columns look like)
"""

from replay.mapping.binding import bind
from replay.mapping.bound import Bound
from replay.mapping.encoding import bodies
from replay.mapping.fieldmap import Mapping
from replay.mapping.profiling import SAMPLES, Look, looks
from replay.mapping.tracing import Traces
from replay.mapping.users import in_sample, lanes, user_hashes

__all__ = [
    "SAMPLES",
    "Bound",
    "Look",
    "Mapping",
    "Traces",
    "bind",
    "bodies",
    "in_sample",
    "lanes",
    "looks",
    "user_hashes",
]
