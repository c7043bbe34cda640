"""Which orders the suite's own plugins admit: they are asked, by their collection hooks, on several orders of the tests.

pytest-django runs tests without transactions first, pytest-order follows marks, a ``conftest.py`` sorts by name: plain
pytest never runs another order. What they do is learnt from what they return, and none of their rules is known here.
The hooks run again in a fork that is then thrown away, so that they leave nothing behind in the process that collects.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import sys
import types
import warnings
from typing import Callable, Dict, List, Optional, Tuple, TypedDict

import pluggy
import pytest

from . import limits, messages, pytest_private
from .channel import text
from .precedence import Precedence

_HOOK = "pytest_collection_modifyitems"


#: A list of tests, by their places in the collected list.
Order = List[int]
#: What one or several plugins make of an order.
Sort = Callable[[Order], Order]


class _Answer(TypedDict, total=False):
    """What the fork finds out, as :class:`Admitted` has it."""

    ranks: List[int]
    edges: List[Tuple[int, int]]
    sorted_by: List[str]
    doubts: List[str]


class Admitted:
    """What was learnt of the orders that the plugins admit."""

    def __init__(self, answer: _Answer) -> None:
        #: For each test its rank: tests of a lower rank come first. Empty if all have the same.
        self.ranks: List[int] = answer.get("ranks", [])
        #: Pairs of places of tests of one rank of which the first comes first.
        self.edges: List[Tuple[int, int]] = answer.get("edges", [])
        #: The plugins that sort, by the names of their packages or files.
        self.sorted_by: List[str] = answer.get("sorted_by", [])
        #: Why how a plugin sorts is not known, or only in part.
        self.doubts: List[str] = answer.get("doubts", [])

    def rank(self, place: int) -> int:
        """The rank of the test at a place of the collected list."""
        return self.ranks[place] if self.ranks else 0

    def message(self) -> messages.Orders:
        """What jostle is told besides the ranks."""
        return {"edges": self.edges, "sorted_by": self.sorted_by, "doubts": self.doubts}


def ask(session: pytest.Session, items: List[pytest.Item]) -> Admitted:
    """Ask the plugins that have a collection hook, if there are any."""
    plugins = _plugins(session.config)
    if not plugins or len(items) < 2:
        return Admitted({})
    answer = _in_a_fork(lambda: _Inquiry(session, items, plugins).answer())
    if answer is not None:
        return Admitted(answer)
    names = _listed([_name(plugin, session.config) for plugin in plugins])
    return Admitted({"doubts": [f"{names} did not answer when asked how tests are sorted, so that it is not heeded"]})


class _Changed(Exception):
    """A hook returned other tests than it was given."""


class _Inquiry:
    """Asks, in the fork."""

    def __init__(self, session: pytest.Session, items: List[pytest.Item], plugins: List[object]) -> None:
        self._session = session
        self._items = items
        self._plugins = plugins
        self._doubts: List[str] = []

    def answer(self) -> _Answer:
        sorting = [plugin for plugin in self._plugins if self._sorts(plugin)]
        if not sorting:
            return {"doubts": self._doubts}
        names = sorted({_name(plugin, self._session.config) for plugin in sorting})
        sort = self._sort_of(sorting)
        try:
            orders = [self._collected(), self._collected()[::-1], *map(self._shuffled, range(limits.ASKED_ORDERS))]
            asked = [(order, sort(order)) for order in orders]
            precedence = Precedence(asked)
            fresh = [self._shuffled(limits.ASKED_ORDERS + number) for number in range(limits.CHECKED_ORDERS)]
            admitted = [precedence.sorted(order) for order in [orders[1], *fresh]]
            checked = [(order, sort(order)) for order in admitted]
        except BaseException as error:
            self._doubts.append(f"{_listed(names)} together could not be asked how tests are sorted ({_said(error)})")
            return {"doubts": self._doubts}
        if any(answer != order for order, answer in checked):
            precedence = Precedence(asked + checked)
            self._doubts.append(f"what {_listed(names)} sorts by is known in part only, as no fixed rule tells it")
        learnt: _Answer = {"ranks": precedence.ranks, "edges": precedence.edges}
        return {**learnt, "sorted_by": names, "doubts": self._doubts}

    def _sorts(self, plugin: object) -> bool:
        """Whether a plugin changes the order of tests, by rules that can be learnt."""
        sort, name = self._sort_of([plugin]), _name(plugin, self._session.config)
        collected, shuffled = self._collected(), self._shuffled(0)
        try:
            orders = [collected, collected[::-1], shuffled]
            answers = [sort(order) for order in orders]
            again = [sort(order) for order in orders]
        except BaseException as error:
            self._doubts.append(
                f"{name} could not be asked how it sorts tests ({_said(error)}), so that it is not heeded"
            )
            return False
        if again != answers:
            self._doubts.append(f"{name} sorts the same tests in another way each time, so that it is not heeded")
            return False
        return answers != orders

    def _sort_of(self, plugins: List[object]) -> Sort:
        """What plugins make of an order, in the sequence in which pytest calls them."""
        manager = self._session.config.pluginmanager
        others = [impl.plugin for impl in _implementations(self._session.config) if impl.plugin not in plugins]
        hook = manager.subset_hook_caller(_HOOK, others)

        def sort(order: Order) -> Order:
            items = [self._items[place] for place in order]
            # One and the same item may stand in the list twice.
            places: Dict[int, Order] = {}
            for place, item in zip(order, items):
                places.setdefault(id(item), []).append(place)
            hook(session=self._session, config=self._session.config, items=items)
            answer = [left.pop(0) for left in map(places.get, map(id, items)) if left]
            if not len(answer) == len(items) == len(order):
                raise _Changed("it returned other tests than it was given")
            return answer

        return sort

    def _collected(self) -> Order:
        return list(range(len(self._items)))

    def _shuffled(self, number: int) -> Order:
        def key(place: int) -> bytes:
            name = f"{number}:{place}:{text(self._items[place].nodeid)}"
            return hashlib.sha256(name.encode()).digest()

        return sorted(self._collected(), key=key)


def _implementations(config: pytest.Config) -> List[pluggy.HookImpl]:
    return list(config.pluginmanager.hook.pytest_collection_modifyitems.get_hookimpls())


def _plugins(config: pytest.Config) -> List[object]:
    """Who has a collection hook and is neither of pytest itself nor of jostle, in the order of registration."""
    plugins = [impl.plugin for impl in _implementations(config)]
    return [
        plugin for plugin in plugins if _module(plugin).split(".")[0] not in (pytest_private.PACKAGE, "jostle_harness")
    ]


def _module(plugin: object) -> str:
    """The name of the module that a plugin is, or that its class is of."""
    return text(plugin.__name__ if isinstance(plugin, types.ModuleType) else type(plugin).__module__)


def _name(plugin: object, config: pytest.Config) -> str:
    """How a plugin is called: by its package on the index, else by its file, relative to rootdir."""
    module = plugin if isinstance(plugin, types.ModuleType) else sys.modules.get(_module(plugin))
    file = getattr(module, "__file__", None)
    if file is not None and os.path.basename(file) == "conftest.py":
        return text(os.path.relpath(file, str(config.rootpath)).replace(os.sep, "/"))
    package = _module(plugin).split(".")[0]
    for known, distribution in config.pluginmanager.list_plugin_distinfo():
        if _module(known).split(".")[0] == package:
            return text(distribution.project_name)
    return _module(plugin)


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, _Changed) else f"it raised {type(error).__name__}"


def _listed(names: List[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _in_a_fork(work: Callable[[], _Answer]) -> Optional[_Answer]:
    """What some work came to in a fork that ends without a trace; nothing if it hung or died."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads in the parent: a fork that waits for one is given up
        pid = os.fork()
    if pid == 0:
        os.close(reading)
        _work_silently(work, writing)
    os.close(writing)
    try:
        answer = _read_all(reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    found: Optional[_Answer] = json.loads(answer) if answer else None
    return found


def _work_silently(work: Callable[[], _Answer], writing: int) -> None:
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        answer = json.dumps(work()).encode("ascii")
        while answer:
            answer = answer[os.write(writing, answer) :]
    finally:
        os._exit(0)


def _read_all(descriptor: int) -> bytes:
    """All that is written until the other end closes; nothing if that takes too long."""
    pieces: List[bytes] = []
    while select.select([descriptor], [], [], limits.SORTING_SECONDS)[0]:
        piece = os.read(descriptor, 1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
    return b""
