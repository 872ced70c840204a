"""The field map: how records become requests. A door; see the modules.

fieldmap   the mapping, as a file or options write it     fields, paths   its words
binding    a mapping fitted to one source                 bound, api      a chunk under it
casts, numbers, times, columns   values                   encoding        request bodies
    users      who a row belongs to
"""

from replay.mapping.binding import bind
from replay.mapping.bound import Bound
from replay.mapping.encoding import bodies
from replay.mapping.fieldmap import Mapping
from replay.mapping.users import lanes, user_hashes

__all__ = ["Bound", "Mapping", "bind", "bodies", "lanes", "user_hashes"]
