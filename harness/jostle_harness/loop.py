"""The run loop: the plan's tests in the plan's order, each reported as it starts and ends."""

from __future__ import annotations

import contextlib
import re
from time import perf_counter  # bound now: a test may replace it
from typing import TYPE_CHECKING, Any, Dict, Generator, List, Optional, Tuple, Union

import pluggy
import pytest

from . import crash, doctests, messages, phase, pytest_private
from .channel import Channel, Setup, receive_setup, text
from .draws import Draws
from .threads import Starts

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .explain import Explainer
    from .namespaces import Namespaces
    from .readers import Readers
    from .watch import Watch

    #: What looks at state around the tests.
    Watcher = Union[Explainer, Readers]

#: How jostle names a test by its function and its position, from 1 on, among those that differ by their parameters.
_POSITION = re.compile(r"(.*)\[#([1-9]\d*)\]$", re.DOTALL)


class Loop:
    """Runs the tests of one process."""

    def __init__(self, channel: Channel, setup: Setup) -> None:
        self._channel = channel
        self._setup = setup
        self._failure: Optional[messages.Failure] = None
        #: For fixtures of a wider scope, where in the plan the test is for which each was set up.
        self._users: Dict[int, int] = {}
        #: Where the test is for which the fixture was set up that has failed.
        self._user: Optional[int] = None
        self._position = 0
        self._outcomes: List[messages.Outcome] = []
        self._subtest_failed = False
        #: Where the suite asked for its xdist identity while it was imported.
        self.identity_asked_at: Optional[str] = None
        #: Where threads were started, of a process that is to be forked.
        self.starts = Starts("")
        #: Everything that was collected, by node id and occurrence.
        self.collected: Dict[Tuple[str, int], pytest.Item] = {}
        #: For each of the plan's tests its item, or nothing if it is no longer collected.
        self.items: List[Optional[pytest.Item]] = []
        self._watch: Optional[Watch] = None
        #: Where the list is to be left, if it is.
        self._checkpoint: Optional[Checkpoint] = None
        self._draws = Draws(setup.random_seed)

    def choose(self, items: List[pytest.Item]) -> None:
        """Leave only the plan's tests, in its order, in the session's list of items."""
        self.items = [self._find(node_id, occurrence) for node_id, occurrence in self._setup.tests]
        missing = [position for position, item in enumerate(self.items) if item is None]
        if missing:
            self._channel.send(messages.Missing(type="missing", positions=missing))
        # The plan may have a test twice; the session has it once.
        items[:] = {id(item): item for item in self.items if item is not None}.values()

    def _find(self, node_id: str, occurrence: int) -> Optional[pytest.Item]:
        """The test of a name, which is pytest's own or, where that is another in each process, tells its position."""
        item = self.collected.get((node_id, occurrence))
        named = None if item is not None else _POSITION.match(node_id)
        if named is None:
            return item
        same = [item for (other, _), item in self.collected.items() if _function(other) == named[1] != other]
        position = int(named[2]) - 1
        return same[position] if position < len(same) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the plan in place of pytest's own loop, which stops at the first collection error."""
        if self._setup.purpose == "collect":
            return True
        if self._setup.purpose == "serve":
            from . import zygote

            self._draws.look()
            server = zygote.Zygote(self._channel)
            worker = server.fork_workers(session, self.identity_asked_at, self.starts)
            if worker is None:
                return True
            self._become(worker, session, server.namespaces)
            with zygote.ending_here(self._channel):
                self._run_all(session)
        else:
            self._run_all(session)
        return True

    def _become(self, channel: Channel, session: pytest.Session, namespaces: Namespaces) -> None:
        """Take up the work of a fork."""
        from . import zygote
        from .checkpoint import Checkpoint

        self._channel, self._setup = channel, receive_setup(channel)
        self._setup.is_fork = True
        namespaces.give_up(keep=self._setup.stop is not None)
        if self._setup.stop is not None:
            self._checkpoint = Checkpoint(channel, namespaces)
        zygote.become(session.config, self._setup)
        self.choose(session.items)

    def _run_all(self, session: pytest.Session) -> None:
        running = messages.Running(type="running")
        if self._setup.watch is not None:
            from .watch import Watch

            self._watch = Watch(self._channel, self._setup, str(session.config.rootpath))
            running = {**running, **self._watch.process()}
        self._channel.send(running)
        self._draws.settle(self._setup.random_seed)
        explainer = self._explainer()
        if self._watch is not None:
            self._watch.come()
        position = 0
        while position < len(self.items):
            if self._checkpoint is not None and position == self._setup.stop:
                self._stop(self._checkpoint, explainer, position)  # other tests may follow from here on
            item = self.items[position]
            if explainer is not None:
                explainer.before(position, position == len(self.items) - 1, self._channel, item)
            if item is not None:
                self._run(position, item)
            if explainer is not None:
                explainer.follow(position, self._channel, None if item is None else self._next(position, item))
            position += 1
        if explainer is not None:
            explainer.tell_read(self._channel)

    def _stop(self, checkpoint: Checkpoint, explainer: Optional[Watcher], position: int) -> None:
        """Stop for good, but for forks, each of which goes on from here for whoever has asked for it; or go on, if forks
        would not be what this process is."""
        if explainer is not None:
            explainer.note()
        if not checkpoint.stop():
            return
        tests, self._setup = self._setup.tests, receive_setup(self._channel)
        self._setup.is_fork = True
        if self._setup.tests != tests:
            self._choose_others(position)
        if explainer is not None and self._setup.explain is not None:
            explainer.take_up(self._setup.explain, self._looked_at())
        self._channel.send(messages.Running(type="running"))

    def _choose_others(self, position: int) -> None:
        """Take up other tests from this position on, for which the test before would have been torn down as it was."""
        before = self.items[position - 1] if position > 0 else None
        following = None if before is None else self._next(position - 1, before)
        session = next(item.session for item in self.collected.values())
        self.choose(session.items)
        if before is not None and _left(before, following) != _left(before, self._next(position - 1, before)):
            raise ValueError("a fork is to go on with a test for which other fixtures would have been kept")

    def _explainer(self) -> Optional[Watcher]:
        """What watches the state from here on to the last test, if that is wanted."""
        item = next((item for item in self.items if item is not None), None)
        if self._setup.explain is None or self._setup.explain["import"] is not None or item is None:
            return None
        explainer = self._explainer_of(self._setup.explain, item.config, self._looked_at())
        item.config.pluginmanager.register(explainer, "jostle-explainer")
        return explainer

    def _looked_at(self) -> List[pytest.Item]:
        """The tests, of which those are known by now whose parameters are others in each process."""
        from .places import are_passing

        names = [node_id for node_id, _ in self._setup.tests]
        passing = [item for item, name in zip(self.items, names) if item is not None and text(item.nodeid) != name]
        are_passing(value for item in passing for _, value in pytest_private.parameters(item))
        return [item for item in self.items if item is not None]

    def _explainer_of(
        self, instructions: messages.Instructions, config: pytest.Config, items: List[pytest.Item]
    ) -> Watcher:
        """What looks as the instructions say."""
        what = (
            instructions,
            str(config.rootpath),
            config,
            items,
            self._setup.named_places,
            self._setup.servers,
        )
        if instructions["readers"]:
            from .readers import Readers

            return Readers(instructions["readers"], str(config.rootpath))
        if instructions["left"]:
            from .leaks import Leaks

            # All that was collected gives its parameters their names, whichever tests are run.
            collected = list(self.collected.values())
            return Leaks(self._channel, *what[:3], collected, *what[4:])
        from .explain import Explainer

        return Explainer(*what)

    def _next(self, position: int, item: pytest.Item) -> Optional[pytest.Item]:
        for following in self.items[position + 1 :]:
            if following is not None:
                # An item that follows itself would keep its own fixtures; its parent keeps only theirs.
                return item.parent if following is item else following  # type: ignore[return-value]
        return None

    def _run(self, position: int, item: pytest.Item) -> None:
        if position in self._setup.barriers:
            self._channel.send(messages.Waiting(type="waiting", position=position))
            self._channel.receive()
        self._failure = None
        self._user = None
        self._position = position
        self._outcomes = []
        self._subtest_failed = False
        doctests.know(item)
        doctest_globals = _doctest_globals(item)
        self._channel.send(messages.Start(type="start", position=position))
        start = perf_counter()
        if self._watch is not None:
            self._watch.start(position, item)
        try:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=self._next(position, item))
        except BaseException as error:
            # pytest.exit, sys.exit in a hook, Ctrl-C sent by a test: the rest goes on in a new process.
            rootdir = str(item.config.rootpath)
            test = item.nodeid.split("::")[0]
            self._failure = self._failure or crash.failure("call", error, repr(error), rootdir, test)
            self._finish(position, start)
            raise
        finally:
            if self._watch is not None:
                self._watch.finish(position)
            if doctest_globals is not None:
                item.dtest.globs.update(doctest_globals)  # type: ignore[attr-defined]
        self._finish(position, start)

    def _finish(self, position: int, start: float) -> None:
        if self._failure is not None:
            outcome: messages.Outcome = "failed"
        elif "failed" in self._outcomes or self._subtest_failed:
            outcome = "failed"
            self._failure = crash.verdict("call", "a subtest failed", "", "")
        else:
            outcome = phase.verdict(self._outcomes)
        duration = perf_counter() - start
        self._channel.send(
            messages.Finish(
                type="finish",
                position=position,
                outcome=outcome,
                duration=duration,
                failure=self._failure,
                user=self._user,
            )
        )

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, None, None]:
        """Charge what a fixture of a wider scope touches to the fixture, not to the test that happens to need it."""
        wide = pytest_private.is_wide(fixturedef)
        if wide:
            self._users[id(fixturedef)] = self._position
        watch = self._watch if wide else None
        with contextlib.nullcontext() if watch is None else watch.fixture(fixturedef):
            yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Any:
        """Tell what a test does from what is done after it, which begins with the rendering of its failure."""
        yield
        if self._watch is not None:
            self._watch.tear_down()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Tell so of a test whose setup has failed."""
        if self._watch is not None:
            self._watch.tear_down()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
        """Note the first failing phase, with the exception while it is still at hand."""
        outcome = yield
        report = outcome.get_result()
        if report.failed and self._failure is None:
            rootdir, file = str(item.config.rootpath), item.nodeid.split("::")[0]
            if call.excinfo is not None:
                trace = _rendering(report)
                self._failure = crash.failure(report.when, call.excinfo.value, trace, rootdir, file)
                raised = crash.failing_fixture(call.excinfo.value)
                self._user = None if raised is None else self._users.get(id(raised[0]))
            else:
                function = getattr(item, "originalname", None) or item.name
                self._failure = crash.verdict(report.when, _rendering(report), file, function)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what each phase came to; subtests belong to their parent's verdict."""
        if pytest_private.is_subtest(report):
            self._subtest_failed = self._subtest_failed or report.failed
            return
        self._outcomes.append(phase.outcome(report))


def _left(item: pytest.Item, following: Optional[pytest.Item]) -> List[object]:
    """The collectors whose fixtures the teardown of a test leaves for the next."""
    chains = (item.listchain(), [] if following is None else following.listchain())
    return [one for one, other in zip(*chains) if one is other]


def _function(node_id: str) -> str:
    """A node id without the parameters."""
    start = max(node_id.find("::"), 0)
    end = node_id.find("[", start)
    return node_id if end < 0 else node_id[:end]


def _doctest_globals(item: pytest.Item) -> Optional[Dict[str, Any]]:
    """The names a doctest starts with. Its runner forgets them, so that it could not be run twice."""
    dtest = getattr(item, "dtest", None)
    return None if dtest is None else dict(dtest.globs)


def _rendering(report: pytest.TestReport) -> str:
    try:
        return str(report.longreprtext)
    except Exception as error:  # a broken __repr__ in the suite
        return f"<pytest could not render the failure: {type(error).__name__}>"
