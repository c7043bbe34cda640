"""Watches whether the suite asks which xdist worker it is while it is imported and configured.

A fork of the zygote gets its identity after that, so a suite that derives, say, the name of a database from it in a
conftest.py would see the wrong one. Questions asked later, by fixtures and tests, get the right answer.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Dict, Optional

import pytest

from .crash import inside

_VARIABLES = frozenset(
    os.fsencode(name) for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")
)


class IdentityWatch:
    """From :meth:`start` to :meth:`stop`, notes the first place of the suite that asks."""

    def __init__(self, rootdir: str) -> None:
        self._rootdir = rootdir
        self._environ: Optional[Dict[bytes, bytes]] = None
        #: ``file:line`` of the first question, relative to rootdir.
        self.asked_at: Optional[str] = None

    def start(self) -> None:
        """Watch the environment's variables and the configuration's ``workerinput``."""
        self._environ = os.environ._data  # type: ignore[attr-defined]
        watched = _WatchedEnviron(self._environ)
        watched.watch = self
        _set_environ(watched)

        def workerinput(config: pytest.Config) -> None:
            self.note()
            raise AttributeError("workerinput")

        pytest.Config.workerinput = property(workerinput)  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Leave everything as it would be without the watch."""
        if self._environ is not None:
            changed = dict(os.environ._data)  # type: ignore[attr-defined]
            self._environ.clear()
            self._environ.update(changed)
            _set_environ(self._environ)
            self._environ = None
            del pytest.Config.workerinput  # type: ignore[attr-defined]

    def note(self) -> None:
        """Note who asks, if a file of the suite is among the callers: plugins ask out of habit."""
        frame: Optional[FrameType] = sys._getframe(1)
        while self.asked_at is None and frame is not None:
            file = inside(frame.f_code.co_filename, self._rootdir)
            if file is not None:
                self.asked_at = f"{file}:{frame.f_lineno}"
            frame = frame.f_back


class _WatchedEnviron(Dict[bytes, bytes]):
    watch: IdentityWatch

    def __getitem__(self, key: bytes) -> bytes:
        if key in _VARIABLES:
            self.watch.note()
        return super().__getitem__(key)


def _set_environ(data: Dict[bytes, bytes]) -> None:
    os.environ._data = data  # type: ignore[attr-defined]
    os.environb._data = data  # type: ignore[attr-defined]
