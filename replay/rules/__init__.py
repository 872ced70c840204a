"""Every rule, judged a column at a time. A door; see the modules.

catalog    the rules as data, and their severities     judge      a chunk by every rule
events, users, properties, sequence   what is judged   findings   how a rule looks at a column
"""

from replay.rules.catalog import RULES, Rule, parse_rule_option, severities
from replay.rules.judge import Judge, invalid_places

__all__ = ["RULES", "Judge", "Rule", "invalid_places", "parse_rule_option", "severities"]
