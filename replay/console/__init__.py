"""What people see: plans, tables, the progress of a run, and the JSON twin of each.

Standard output is data, standard error is talk. Whatever comes from files or from the destination
is cleaned of terminal controls before it is shown.
"""

from replay.console.checks import print_requests, rule_dict, show_check, show_requests, show_rules
from replay.console.plans import show_plan, show_settings
from replay.console.progress import measuring, reading, sending
from replay.console.runs import show_answers, show_run, show_runs, show_sandbox, show_summary
from replay.console.words import clean, clean_json, print_data, print_json, say

__all__ = [
    "clean",
    "clean_json",
    "measuring",
    "print_data",
    "print_json",
    "print_requests",
    "reading",
    "rule_dict",
    "say",
    "sending",
    "show_answers",
    "show_check",
    "show_plan",
    "show_requests",
    "show_rules",
    "show_run",
    "show_runs",
    "show_sandbox",
    "show_settings",
    "show_summary",
]
