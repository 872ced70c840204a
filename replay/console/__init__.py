"""What people see: plans, tables, the progress of a run, and the JSON twin of each.

Standard output is data, standard error is talk. Whatever comes from files or from the destination
is cleaned of terminal controls before it is shown.
"""

from replay.console.checks import rule_dict, show_check, show_rules
from replay.console.plans import show_plan
from replay.console.progress import measuring, reading, sending
from replay.console.runs import show_answers, show_run, show_runs, show_sandbox, show_summary
from replay.console.words import clean, clean_json, print_data, print_json, say

__all__ = [
    "clean",
    "clean_json",
    "measuring",
    "print_data",
    "print_json",
    "reading",
    "rule_dict",
    "say",
    "sending",
    "show_answers",
    "show_check",
    "show_plan",
    "show_rules",
    "show_run",
    "show_runs",
    "show_sandbox",
    "show_summary",
]
