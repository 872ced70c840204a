"""What a proof begins with: a judge for all tests of a file, and benches in folders of their own."""

import pytest
from proof.bench import Bench, Judge


@pytest.fixture(scope="module")
def judge():
    with Judge() as judge:
        yield judge


@pytest.fixture
def bench(judge, tmp_path, monkeypatch):
    """Makes a bench: `bench(plan, rows=…)`."""
    monkeypatch.setenv("HACKLE_API_KEY", "key")

    def make(plan, rows, users=None):
        return Bench(tmp_path, judge, plan, rows, users)

    return make
