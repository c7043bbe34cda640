"""The plugin: ``python -m pytest -p jostle_harness.plugin`` with a descriptor named by ``JOSTLE_FD``.

Without that variable it does nothing.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Dict, Generator, Iterable, List, Optional, Tuple, Union

import pluggy
import pytest

from . import BEFORE, crash, messages, neutralise, parts, pytest_private, statement_ranges, unseen, xdist_identity
from .channel import Channel, ChannelClosed, Setup, receive_setup, text
from .identity_watch import IdentityWatch
from .loop import Loop
from .threads import Starts

if TYPE_CHECKING:
    from .explain import Explainer
    from .leaks import ImportLeaks

_plugin: Optional["Harness"] = None


def _start() -> Optional["Harness"]:
    descriptor = os.environ.pop("JOSTLE_FD", None)
    if descriptor is None:
        return None
    channel = Channel(int(descriptor))
    setup = receive_setup(channel)
    parts.import_needed(setup)
    if _tells_imports(setup):
        unseen.hide(BEFORE)
    return Harness(channel, setup)


def _tells_imports(setup: Setup) -> bool:
    """Whether it is told what tests import: what the harness has imported for itself is not to be there before them."""
    return setup.purpose == "run" and setup.explain is not None and setup.explain["left"]


class Harness:
    """Collects, selects and orders; the loop runs."""

    def __init__(self, channel: Channel, setup: Setup) -> None:
        self.channel = channel
        self.setup = setup
        self.loop = Loop(channel, setup)
        self.errors: List[messages.CollectionError] = []
        self.deselected = 0
        self.neutralised: List[str] = []
        self.watch: Optional[IdentityWatch] = None
        xdist_identity.set_environment(setup.worker)
        xdist_identity.set_arguments(setup.worker)

    def watch_identity(self, config: pytest.Config) -> None:
        if self.setup.purpose == "serve":
            self.watch = IdentityWatch(str(config.rootpath))
            self.watch.start()
            self.loop.starts = Starts(str(config.rootpath))
            self.loop.starts.start()

    def undo_options(self, config: pytest.Config, parser: pytest.Parser, args: List[str]) -> None:
        flags = neutralise.counter_flags(config)
        self.neutralised = list(flags)
        if self.setup.worker is not None:
            flags.append("--basetemp=" + xdist_identity.basetemp(self.setup))
        if self.setup.worker is not None or self.setup.purpose == "serve":
            xdist_identity.remove_plugins(config)
        neutralise.append(config, parser, args, flags)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        self.neutralised += neutralise.set_options(config, self.setup.random_seed)
        worker = self.setup.worker
        if worker is not None:
            xdist_identity.set_workerinput(config, worker)
            if not config.pluginmanager.hasplugin("xdist"):
                config.pluginmanager.register(xdist_identity.WorkerFixtures(worker), "jostle-worker-fixtures")
        self.rootdir = str(config.rootpath)
        statement_ranges.quicken(pytest_private.tracebacks())
        if self.setup.imports is not None:
            self.imports = {os.path.realpath(os.path.join(self.rootdir, file)) for file in self.setup.imports}
            config.args[:] = [arg for arg in config.args if self._argument_stays(arg, config)]
        with unseen.hiding() if _tells_imports(self.setup) else contextlib.nullcontext():
            found = config.pluginmanager.list_plugin_distinfo()
            plugins = sorted({f"{d.project_name}-{d.version}" for _, d in found})
        self.channel.send(
            messages.Hello(
                type="hello",
                protocol=messages.PROTOCOL,
                python=platform.python_version(),
                pytest=pytest.__version__,
                rootdir=text(self.rootdir),
                plugins=[text(plugin) for plugin in plugins],
                neutralised=self.neutralised,
            )
        )

    def _argument_stays(self, argument: str, config: pytest.Config) -> bool:
        path = os.path.join(str(config.invocation_params.dir), argument.split("::")[0])
        return not os.path.isfile(path) or os.path.realpath(path) in self.imports

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> Optional[bool]:
        """Leave out files that the plan does not import."""
        if self.setup.imports is None:
            return None
        path = str(collection_path)
        return True if os.path.isfile(path) and os.path.realpath(path) not in self.imports else None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pluggy.Result[pytest.CollectReport], None]:
        """Note why something cannot be collected, while the exception is still at hand."""
        _guard_exit(collector)
        explainer = self._explainer_of_import(collector)
        imports = self._imports(collector)
        self.loop.starts.look(None)
        outcome = yield
        self.loop.starts.look(collector.nodeid)
        if explainer is not None:
            explainer.look(self.channel)
        if imports is not None:
            imports.look(collector.nodeid)
        report = outcome.get_result()
        if report.failed:
            error = _exception(report, collector)
            self.errors.append(crash.collection_error(collector.nodeid, error, report.longreprtext, self.rootdir))

    def _explainer_of_import(self, collector: pytest.Collector) -> Optional[Explainer]:
        """What watches the import of a file that is to be explained."""
        explain = self.setup.explain
        if explain is None or explain["import"] is None or not isinstance(collector, pytest.Module):
            return None
        if os.path.realpath(str(collector.path)) != os.path.realpath(os.path.join(self.rootdir, explain["import"])):
            return None
        from .explain import Explainer

        explainer = Explainer(explain, self.rootdir, collector.config, (), self.setup.named_places, self.setup.servers)
        explainer.start()
        return explainer

    def _imports(self, collector: pytest.Collector) -> Optional[ImportLeaks]:
        """What looks at what the import of a file leaves, if that is to be told."""
        explain = self.setup.explain
        if explain is None or not _tells_imports(self.setup) or not isinstance(collector, pytest.Module):
            return None
        from .leaks import ImportLeaks

        return ImportLeaks(self.channel, self.rootdir, explain["watch"])

    def pytest_deselected(self, items: List[pytest.Item]) -> None:
        self.deselected += len(items)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: List[pytest.Item]
    ) -> Generator[None, None, None]:
        """Choose and order after every other plugin: a ``tryfirst`` wrapper is the outermost one."""
        yield
        if self.setup.purpose != "run" and self.setup.tests:
            self._narrow(items)
        self.loop.collected = _occurrences(items)
        if self.setup.purpose == "run":
            self.loop.choose(items)
            return
        from . import admitted

        orders = admitted.ask(session, items)
        named = enumerate(self.loop.collected.items())
        tests = [self._describe(key, item, orders.rank(place)) for place, (key, item) in named]
        self.channel.send(
            messages.Collected(
                type="collected",
                tests=tests,
                errors=self.errors,
                deselected=self.deselected,
                orders=orders.message(),
            )
        )

    def _narrow(self, items: List[pytest.Item]) -> None:
        """Deselect all tests but those that the suite is narrowed to."""
        kept = {node_id for node_id, _ in self.setup.tests}
        narrowed = [item for item in items if text(item.nodeid) in kept]
        self.deselected += len(items) - len(narrowed)
        items[:] = narrowed

    def _describe(self, key: Tuple[str, int], item: pytest.Item, rank: int) -> messages.CollectedTest:
        _, line, _ = item.reportinfo()
        file = key[0].split("::")[0]
        if getattr(item, "path", None) is not None:
            file = os.path.relpath(str(item.path), self.rootdir).replace(os.sep, "/")
        return {
            "id": key[0],
            "occurrence": key[1],
            "file": text(file),
            "line": None if line is None else line + 1,
            "group": _group(item),
            "rank": rank,
        }

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if self.watch is not None:
            self.watch.stop()
            self.loop.identity_asked_at = self.watch.asked_at

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        with contextlib.suppress(ChannelClosed):  # a zygote ends because jostle is done
            self.channel.send(messages.Done(type="done", status=int(exitstatus)))


def _guard_exit(collector: pytest.Collector) -> None:
    """Make ``sys.exit`` in a module an error of that module: pytest itself would end the whole run."""
    collect = collector.collect

    def guarded() -> Iterable[Union[pytest.Item, pytest.Collector]]:
        try:
            return collect()
        except SystemExit as error:
            raise collector.CollectError(f"the module calls sys.exit({error.code!r})") from error

    collector.collect = guarded  # type: ignore[method-assign]


def _exception(report: pytest.CollectReport, collector: pytest.Collector) -> BaseException:
    call = getattr(report, "call", None)
    if call is not None and call.excinfo is not None:
        error: BaseException = call.excinfo.value
        return error
    return RuntimeError(f"{collector.nodeid} could not be collected")


def _occurrences(items: List[pytest.Item]) -> Dict[Tuple[str, int], pytest.Item]:
    """The items by node id and occurrence: two items may share one node id."""
    counts: Dict[str, int] = {}
    named: Dict[Tuple[str, int], pytest.Item] = {}
    for item in items:
        node_id = text(item.nodeid)
        occurrence = counts.get(node_id, 0)
        counts[node_id] = occurrence + 1
        named[(node_id, occurrence)] = item
    return named


def _group(item: pytest.Item) -> Optional[str]:
    """The name that xdist's loadgroup appends to the node id: all groups of the item, sorted."""
    marks = item.iter_markers("xdist_group")
    names = {text(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in marks}
    return "_".join(sorted(names)) or None


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: List[str]
) -> Generator[None, None, None]:
    """The last moment at which arguments can be added; a wrapper, to come before plugins that read them here."""
    global _plugin
    _plugin = _start()
    if _plugin is not None:
        _plugin.watch_identity(early_config)
        _plugin.undo_options(early_config, parser, args)
        early_config.pluginmanager.register(_plugin, "jostle-harness")
        early_config.pluginmanager.register(_plugin.loop, "jostle-loop")
    yield
