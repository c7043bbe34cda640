"""The plugin of a measured run: ``python -m pytest -p jostle_harness.measure``.

The run is pytest's own, or pytest-xdist's: nothing is chosen, ordered or replaced. The suite's own options are undone as
in every run of jostle, and at the end the run tells what became of each test and how long it took.

``JOSTLE_MEASURE`` holds ``WORKERS:MODE``. pytest-xdist's workers parse the controller's arguments anew, so they find it
too; the channel of ``JOSTLE_FD`` is the controller's alone.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Dict, Generator, List, Optional, Tuple

import pytest

from . import messages, neutralise, phase, pytest_private, xdist_identity
from .channel import Channel, ChannelClosed, text
from .messages import Outcome

#: Characters of an error that are told.
_ERROR = 500
#: A test that runs: its node id, and the worker of pytest-xdist's that runs it.
_Run = Tuple[str, Optional[str]]


class Undo:
    """Puts the suite's own options out of action, in the controller and in each of its workers."""

    def __init__(self, workers: int, mode: str) -> None:
        self._workers = workers
        self._mode = mode

    def flags(self, config: pytest.Config) -> List[str]:
        flags = neutralise.counter_flags(config)
        if self._workers > 1:
            # Of two values the last one counts, so that this undoes what undoes the suite's own number.
            flags += ["-n", str(self._workers), "--dist", self._mode]
        return flags

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Come before xdist, which here decides how it distributes and refuses a debugger."""
        neutralise.set_options(config, 0)
        for name, value in (("distload", False), ("maxprocesses", None)):
            if hasattr(config.option, name):
                setattr(config.option, name, value)


class Watch:
    """Notes what the controller hears of the tests; it is told over the channel at the end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._first: Optional[float] = None
        self._last = 0.0
        self._running: Dict[_Run, Tuple[List[Outcome], List[float]]] = {}
        self._tests: List[Tuple[str, Outcome, float, float, float]] = []
        self._errors: List[Tuple[str, str]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._first is None:
            self._first = self._last = time.perf_counter()
            self._send(messages.First(type="first"))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._last = time.perf_counter()
        node_id = text(report.nodeid)
        # Two tests may share a node id and run on two workers at a time.
        gateway = getattr(getattr(report, "node", None), "gateway", None)
        key = (node_id, getattr(gateway, "id", None))
        outcomes, seconds = self._running.setdefault(key, ([], [0.0, 0.0, 0.0]))
        if pytest_private.is_subtest(report):
            outcomes += ["failed"] if report.failed else []
            return
        phases = ("setup", "call", "teardown")
        if report.when == "setup":
            # A test that is run again starts anew; its time is all it took.
            outcomes.clear()
        outcomes.append(phase.outcome(report))
        if report.when in phases:
            seconds[phases.index(report.when)] += report.duration
        if report.when not in ("setup", "call"):
            # The teardown, or xdist's word for the test in which a worker crashed.
            self._finish(key)

    def _finish(self, key: _Run) -> None:
        outcomes, seconds = self._running.pop(key)
        setup, call, teardown = seconds
        verdict = phase.verdict(outcomes)
        # What failed as is expected of it is as it should be, on any number of workers.
        self._tests.append((key[0], "passed" if verdict == "xfailed" else verdict, setup, call, teardown))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._errors.append((text(report.nodeid), text(report.longrepr)[:_ERROR]))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        for key in list(self._running):
            self._running[key][0].append("failed")
            self._finish(key)
        work = 0.0 if self._first is None else self._last - self._first
        self._send(
            messages.Measured(
                type="measured", status=int(exitstatus), work=work, tests=self._tests, errors=self._errors
            )
        )

    def _send(self, message: messages.ToJostle) -> None:
        # A test that closed the channel must not end a run that is otherwise as the user's own.
        with contextlib.suppress(ChannelClosed):
            self._channel.send(message)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: List[str]
) -> Generator[None, None, None]:
    """The last moment at which arguments can be added; a wrapper, to come before plugins that read them here."""
    wanted = os.environ.get("JOSTLE_MEASURE")
    if wanted is not None:
        workers, _, mode = wanted.partition(":")
        undo = Undo(int(workers), mode)
        neutralise.append(early_config, parser, args, undo.flags(early_config))
        early_config.pluginmanager.register(undo, "jostle-undo")
        descriptor = os.environ.pop("JOSTLE_FD", None)
        if descriptor is not None:
            xdist_identity.set_environment(None)
            early_config.pluginmanager.register(Watch(Channel(int(descriptor))), "jostle-watch")
    yield
