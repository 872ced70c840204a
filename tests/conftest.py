"""What holds for every test: where everything a test needs is installed, none may be skipped."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres import Server

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# What began the tests may ignore signals (`nohup` does), and every command of a test would ignore them, too.
for _number, _handler in ((signal.SIGHUP, signal.SIG_DFL), (signal.SIGINT, signal.default_int_handler)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)

os.umask(0o022)  # where a user's group is their own, files are often open to it

MUST_RUN_ALL = bool(os.environ.get("CI"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MUST_RUN_ALL:
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"skipped, and may not be here: {report.nodeid} {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if MUST_RUN_ALL and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    from postgres import MissingError, Server  # noqa: PLC0415 - most tests need none

    try:
        server = Server()
    except MissingError as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def postgres(postgres_server: Server) -> Server:
    """A Postgres without any ledger."""
    postgres_server.empty()
    return postgres_server
