"""A worker that looks to the suite like one of pytest-xdist's."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional

import pytest

_VARIABLES = ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_AUTO_NUM_WORKERS")


def set_environment(worker: Optional[Dict[str, Any]]) -> None:
    """Set the variables an xdist worker has, or remove every sign of xdist."""
    for name in _VARIABLES:
        os.environ.pop(name, None)
    if worker is not None:
        os.environ["PYTEST_XDIST_WORKER"] = worker["id"]
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(worker["count"])
        os.environ["PYTEST_XDIST_TESTRUNUID"] = worker["uid"]


def set_workerinput(config: Any, worker: Dict[str, Any]) -> None:
    """Give the configuration what xdist's worker gives it."""
    config.workerinput = {
        "workerid": worker["id"],
        "workercount": worker["count"],
        "testrunuid": worker["uid"],
        "mainargv": [],
    }
    config.workeroutput = {}


def remove_plugins(config: Any) -> None:
    """Remove what calls a server of xdist's controller from a worker: there is no controller."""
    plugin = config.pluginmanager.get_plugin("rerunfailures")
    if plugin is not None:
        config.pluginmanager.unregister(plugin)


class WorkerFixtures:
    """xdist's fixtures, for suites whose environment lacks xdist."""

    def __init__(self, worker: Dict[str, Any]) -> None:
        self._worker = worker

    @pytest.fixture(scope="session")
    def worker_id(self) -> str:
        """The worker's name, ``gw0`` and so on."""
        return str(self._worker["id"])

    @pytest.fixture(scope="session")
    def testrun_uid(self) -> str:
        """The same text in all workers of a run."""
        return str(self._worker["uid"])
