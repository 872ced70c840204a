"""Samples of how a run went: replaced place by place, or all at once, and each run's own."""

from replay.ledger import open_ledger, samples_of, write_samples


def test_news_take_the_stead_of_what_stood_at_their_places(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with open_ledger(path) as store:
        write_samples(store, 1, [(-1, "whole"), (0, "a"), (1, "b")], anew=False)
        write_samples(store, 2, [(0, "other")], anew=False)
        write_samples(store, 1, [(1, "B"), (2, "c")], anew=False)
    with open_ledger(path) as store:
        assert samples_of(store, 1) == [(-1, "whole"), (0, "a"), (1, "B"), (2, "c")]
        write_samples(store, 1, [(-1, "whole"), (0, "ab")], anew=True)
        assert samples_of(store, 1) == [(-1, "whole"), (0, "ab")]
        assert samples_of(store, 2) == [(0, "other")]
