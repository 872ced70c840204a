"""The campaign from a shell: `python tests/proof/campaign.py --kills 300` prints its figures as a table."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

COLUMNS = ("kills", "rows", "delivered", "lost", "twice", "unreported", "uncounted", "ambiguous", "bound")


def main() -> int:
    """Wage a campaign for each policy; the exit code is 1 where anything was found."""
    from proof.kills import Campaign, wage  # noqa: PLC0415 - the path to it is set only below

    asked = _arguments()
    print("| policy | " + " | ".join(COLUMNS) + " | seconds |\n" + "|---" * (len(COLUMNS) + 2) + "|")
    found: list[str] = []
    for policy in asked.policy or ["hold", "resend"]:
        began = time.monotonic()
        campaign = Campaign(
            kills=asked.kills, policy=policy, rows=asked.rows, seed=asked.seed, processes=asked.processes
        )
        folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        figures = wage(campaign, folder, asked.workers)
        values = " | ".join(f"{getattr(figures, name):,}" for name in COLUMNS)
        print(f"| {policy} | {values} | {time.monotonic() - began:.0f} |", flush=True)
        found += [f"{policy}: {folder}: {fault}" for fault in figures.faults]
        if not figures.faults:
            shutil.rmtree(folder)
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300, help="kills for each policy")
    parser.add_argument("--policy", action="append", choices=("hold", "resend"), help="one policy only")
    parser.add_argument("--rows", type=int, default=1_200, help="rows of each run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="sender processes of each run")
    parser.add_argument("--workers", type=int, default=2, help="runs at a time")
    return parser.parse_args()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
