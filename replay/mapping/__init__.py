"""The field map: how records become requests. A door.

Behind it lie:

the mapping: fieldmap (as a file or options write it), fields and paths (its words)
a source: binding (a mapping fitted to it), finders, itself (sources that need no mapping)
a chunk: bound (a column a target), api (records of the API's shape), users (whose row it is)
values: casts, numbers, cells, times, columns; encoding (request bodies)
"""

from replay.mapping.binding import bind
from replay.mapping.bound import Bound
from replay.mapping.encoding import bodies
from replay.mapping.fieldmap import Mapping
from replay.mapping.users import in_sample, lanes, user_hashes

__all__ = ["Bound", "Mapping", "bind", "bodies", "in_sample", "lanes", "user_hashes"]
