"""What holds for every test: where everything a test needs is installed, none may be skipped."""

import os

import pytest

MUST_RUN_ALL = bool(os.environ.get("CI"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MUST_RUN_ALL:
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"skipped, and may not be here: {report.nodeid} {report.longrepr}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if MUST_RUN_ALL and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
