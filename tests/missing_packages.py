"""The option `--all-packages`: a test that is skipped because a package is missing fails the run.

Packages that cannot be installed beside the others have an environment of their own in `.ci/run`. Their tests are
marked `own_environment`, with the package, and are left out elsewhere.
"""

from __future__ import annotations

import importlib.util

import pytest


def pytest_addoption(parser):
    parser.addoption("--all-packages", action="store_true", help="fail if a test is skipped for a missing package")


def pytest_configure(config):
    if config.getoption("all_packages") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Watch())


def pytest_collection_modifyitems(config, items):
    apart = [item for item in items for mark in item.iter_markers("own_environment") if _missing(*mark.args)]
    if apart:
        config.hook.pytest_deselected(items=apart)
        items[:] = [item for item in items if item not in apart]


def _missing(package: str) -> bool:
    return importlib.util.find_spec(package) is None


class _Watch:
    def __init__(self):
        self.skipped: list[str] = []

    def pytest_runtest_logreport(self, report):
        self._note(report)

    def pytest_collectreport(self, report):
        self._note(report)

    def pytest_sessionfinish(self, session):
        if self.skipped and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        for line in sorted(set(self.skipped)):
            terminalreporter.write_line(f"skipped for a missing package: {line}", red=True)

    def _note(self, report) -> None:
        reason = str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else ""
        if "could not import" in reason:
            self.skipped.append(f"{report.nodeid}: {reason}")
