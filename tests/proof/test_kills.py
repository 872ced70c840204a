"""SIGKILL at random moments on a bad day: no row is lost, none is sent twice, and each doubt is told.

REPLAY_KILLS sets how many kills a policy gets; it is few here, and a long campaign is
`python tests/proof/campaign.py --kills 1000`.
"""

import os

import pytest
from proof.kills import Campaign, wage

KILLS = int(os.environ.get("REPLAY_KILLS", "13"))


@pytest.mark.parametrize(
    ("policy", "processes", "kills"), [("hold", 1, KILLS), ("resend", 1, KILLS), ("hold", 2, KILLS // 3)]
)
def test_no_kill_loses_a_row_or_repeats_one_or_leaves_a_doubt_untold(policy, processes, kills, tmp_path):
    figures = wage(Campaign(kills=kills, policy=policy, kills_a_run=7, processes=processes), tmp_path)
    assert figures.faults == ()
    assert figures.kills == kills
    assert figures.delivered > 0
    assert (figures.lost, figures.twice, figures.unreported) == (0, 0, 0)
    assert figures.ambiguous <= figures.bound
