"""The story: read, map, judge, send, write down. The only room that knows the order of the stages."""

from replay.pipeline.aiming import Aim, aim, ledger_aimed_at, other_environment
from replay.pipeline.api import (
    as_read,
    check,
    find_stored,
    make_job,
    portion,
    run_folder,
    send,
    send_async,
)
from replay.pipeline.checking import CheckFiles, CheckResult, check_job
from replay.pipeline.drafting import Looking, check_command, draft, preset_names
from replay.pipeline.edits import edited_unsent
from replay.pipeline.guarding import unprotected
from replay.pipeline.keys import check_key, key_of_file
from replay.pipeline.latest import run_named
from replay.pipeline.ledgers import key_is_known, known_before, opened
from replay.pipeline.masking import masked, with_mask
from replay.pipeline.plan import Plan, SourcePlan
from replay.pipeline.planning import make_plan
from replay.pipeline.previewing import Preview, curl, look_at, preview
from replay.pipeline.progress import Observer, Progress, Silent
from replay.pipeline.remembering import refuse_forgotten_beside
from replay.pipeline.reporting import renew_report, report_run
from replay.pipeline.resend import resend_job, run_to_resend, tell_of_dead
from replay.pipeline.resuming import (
    command_of,
    is_sandbox_run,
    resumed_job,
    resumed_settings,
)
from replay.pipeline.run import Run, dry_run
from replay.pipeline.scratch import scratch
from replay.pipeline.settling import settle_run, standing
from replay.pipeline.stages import Job
from replay.pipeline.tally import RuleTally

__all__ = [
    "Aim",
    "CheckFiles",
    "CheckResult",
    "Job",
    "Looking",
    "Observer",
    "Plan",
    "Preview",
    "Progress",
    "RuleTally",
    "Run",
    "Silent",
    "SourcePlan",
    "aim",
    "as_read",
    "check",
    "check_command",
    "check_job",
    "check_key",
    "command_of",
    "curl",
    "draft",
    "dry_run",
    "edited_unsent",
    "find_stored",
    "is_sandbox_run",
    "key_is_known",
    "key_of_file",
    "known_before",
    "ledger_aimed_at",
    "look_at",
    "make_job",
    "make_plan",
    "masked",
    "opened",
    "other_environment",
    "portion",
    "preset_names",
    "preview",
    "refuse_forgotten_beside",
    "renew_report",
    "report_run",
    "resend_job",
    "resumed_job",
    "resumed_settings",
    "run_folder",
    "run_named",
    "run_to_resend",
    "scratch",
    "send",
    "send_async",
    "settle_run",
    "standing",
    "tell_of_dead",
    "unprotected",
    "with_mask",
]
