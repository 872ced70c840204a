"""What a test of the command line begins with."""

import pytest
from cli.desk import KEY, Desk


@pytest.fixture
def desk(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HACKLE_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    return Desk(tmp_path, capfd)
