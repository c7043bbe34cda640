"""Which worker of pytest-xdist this process looks like to the suite."""

from __future__ import annotations

import contextlib
import os
import sys
from types import SimpleNamespace
from typing import Any, Dict, Optional

import pytest

from .channel import Setup
from .messages import WorkerIdentity

_VARIABLES = (
    "PYTEST_XDIST_WORKER",
    "PYTEST_XDIST_WORKER_COUNT",
    "PYTEST_XDIST_TESTRUNUID",
    "PYTEST_XDIST_AUTO_NUM_WORKERS",
)


def set_environment(worker: Optional[WorkerIdentity]) -> None:
    """Set the variables an xdist worker has, or remove every sign of xdist."""
    for name in _VARIABLES:
        os.environ.pop(name, None)
    if worker is not None:
        os.environ["PYTEST_XDIST_WORKER"] = worker["id"]
        os.environ["PYTEST_XDIST_WORKER_COUNT"] = str(worker["count"])
        os.environ["PYTEST_XDIST_TESTRUNUID"] = worker["uid"]


#: What this process was started with: the program, jostle's own plugin and cache folder, and its user's arguments.
_ARGUMENTS = tuple(sys.argv)
_OF_JOSTLE = ("-p", "jostle_harness.plugin", "-o")


def set_arguments(worker: Optional[WorkerIdentity]) -> None:
    """Show the suite the arguments it would see: its user's, or what execnet starts xdist's workers with."""
    ours = len(_OF_JOSTLE) + 1 if _ARGUMENTS[1 : len(_OF_JOSTLE) + 1] == _OF_JOSTLE else 0
    sys.argv[:] = [_ARGUMENTS[0], *_ARGUMENTS[ours + 1 :]] if worker is None else ["-c"]


class WorkerInput(Dict[str, Any]):
    """What xdist's controller gives a worker, with the parts that plugins add to it there.

    Some plugins register the hook that adds their part only while they are configured, so it is asked for when the
    part is missed.
    """

    def __init__(self, config: pytest.Config, worker: WorkerIdentity) -> None:
        super().__init__(workerid=worker["id"], workercount=worker["count"], testrunuid=worker["uid"], mainargv=[])
        self._config = config

    def __missing__(self, key: str) -> Any:
        hook = getattr(self._config.hook, "pytest_configure_node", None)
        gateway = SimpleNamespace(id=self["workerid"], spec=None)
        node = SimpleNamespace(config=self._config, workerinput=self, gateway=gateway)
        for implementation in hook.get_hookimpls() if hook is not None else []:
            # One that needs more of a controller than this adds nothing; its reader then fails as it would anyway.
            with contextlib.suppress(Exception):
                implementation.function(node)
        if key in self:
            return self[key]
        raise KeyError(key)


def set_workerinput(config: pytest.Config, worker: WorkerIdentity) -> None:
    """Give the configuration what xdist's worker gives it."""
    config.workerinput = WorkerInput(config, worker)  # type: ignore[attr-defined]
    config.workeroutput = {}  # type: ignore[attr-defined]


def basetemp(setup: Setup) -> str:
    """Where ``tmp_path`` and its like go, named as xdist names it; its parent is made here."""
    assert setup.worker is not None
    parent = os.path.join(setup.folder, "pytest")
    os.makedirs(parent, exist_ok=True)
    return os.path.join(parent, "popen-" + str(setup.worker["id"]))


def remove_plugins(config: pytest.Config) -> None:
    """Remove what calls a server of xdist's controller from a worker, or starts one in a zygote."""
    plugin = config.pluginmanager.get_plugin("rerunfailures")
    if plugin is not None:
        config.pluginmanager.unregister(plugin)


class WorkerFixtures:
    """xdist's fixtures, for suites whose environment lacks xdist."""

    def __init__(self, worker: WorkerIdentity) -> None:
        self._worker = worker

    @pytest.fixture(scope="session")
    def worker_id(self) -> str:
        """The worker's name, ``gw0`` and so on."""
        return str(self._worker["id"])

    @pytest.fixture(scope="session")
    def testrun_uid(self) -> str:
        """The same text in all workers of a run."""
        return str(self._worker["uid"])
