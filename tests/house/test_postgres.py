"""The tests of Postgres run where they can, as root or not, and are skipped elsewhere."""

from pathlib import Path

from postgres import USER, lacking

PROGRAMS = Path("/usr/lib/postgresql/17/bin")


def test_they_are_skipped_where_postgres_is_not_installed():
    assert "not installed" in (lacking(None, 1000, {USER}) or "")


def test_they_are_skipped_as_root_where_there_is_no_user_to_run_the_server_as():
    assert "no user postgres" in (lacking(PROGRAMS, 0, {"root"}) or "")


def test_they_run_as_root_with_that_user_and_as_any_other_user_without_it():
    assert lacking(PROGRAMS, 0, {"root", USER}) is None
    assert lacking(PROGRAMS, 1000, {"root"}) is None
