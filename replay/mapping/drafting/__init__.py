"""The drafting of a mapping: looking at data, and proposing in words what a person then mends. A door.

scan and evidence (what the values are), names and personal (what a name says), shapes (whose export it is),
proposing (a target for each column), clocks (the time), writing (the file).
"""

from replay.mapping.drafting.candidates import personal_in
from replay.mapping.drafting.draft import Draft, drafted, from_preset
from replay.mapping.drafting.scan import Scan
from replay.mapping.drafting.shapes import SNOWPLOW, recognise
from replay.mapping.drafting.writing import count

__all__ = ["SNOWPLOW", "Draft", "Scan", "count", "drafted", "from_preset", "personal_in", "recognise"]
