"""The story: read, map, judge, send, write down. The only room that knows the order of the stages."""

from replay.pipeline.api import check, check_key, find_stored, make_job, run_folder, send, send_async
from replay.pipeline.checking import CheckResult, check_job
from replay.pipeline.plan import Plan, SourcePlan, make_plan
from replay.pipeline.previewing import Preview, curl, preview
from replay.pipeline.resend import resend_job
from replay.pipeline.run import Observer, Progress, Run, Silent, dry_run
from replay.pipeline.stages import Job
from replay.pipeline.tally import RuleTally

__all__ = [
    "CheckResult",
    "Job",
    "Observer",
    "Plan",
    "Preview",
    "Progress",
    "RuleTally",
    "Run",
    "Silent",
    "SourcePlan",
    "check",
    "check_job",
    "check_key",
    "curl",
    "dry_run",
    "find_stored",
    "make_job",
    "make_plan",
    "preview",
    "resend_job",
    "run_folder",
    "send",
    "send_async",
]
