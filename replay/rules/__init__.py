"""Every rule, judged a column at a time. A door.

Behind it lie:

the rules as data: catalog (and how their severities are changed)
a chunk: judge (by every rule), findings (how a rule looks at a column)
what is judged: events, users, properties, sequence (rows against those before them)
"""

from replay.rules.catalog import RULES, Rule, parse_rule_option, severities
from replay.rules.judge import Judge, invalid_places

__all__ = ["RULES", "Judge", "Rule", "invalid_places", "parse_rule_option", "severities"]
