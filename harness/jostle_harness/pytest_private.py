"""All that the harness knows of pytest beyond its documented interface, as it is in pytest 7.4, 8 and 9.

Any release of pytest may change it: `harness/tests/test_pytest_private.py` tells of a new one whether it still holds.
"""

from __future__ import annotations

import contextlib
import sys
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, FrozenSet, List, Optional, Sequence, Tuple

import pytest

if TYPE_CHECKING:
    from _pytest.capture import CaptureManager, MultiCapture

    from .messages import Phase

#: The package of pytest's own modules.
PACKAGE = "_pytest"


def tracebacks() -> ModuleType:
    """The module that shows tracebacks."""
    from _pytest._code import code

    return code


def capture_manager(config: pytest.Config) -> Optional[CaptureManager]:
    """What captures the tests' output; nothing if the suite has ``-p no:capture``."""
    manager: Optional[CaptureManager] = config.pluginmanager.getplugin("capturemanager")
    return manager


def plugin_modules(config: pytest.Config) -> FrozenSet[str]:
    """The modules of installed plugins: those that are registered, and all of packages that are plugins and no more."""
    plugins = config.pluginmanager.get_plugins()
    named = (getattr(plugin, "__name__", type(plugin).__module__) for plugin in plugins)
    names = {name for name in named if isinstance(name, str)}
    packages = {name.partition(".")[0] for name in names if "pytest" in name.partition(".")[0]}
    return frozenset(names | {name for name in sys.modules if name.partition(".")[0] in packages})


def capturing(manager: Optional[CaptureManager]) -> Optional[MultiCapture[Any]]:
    """The capturing that goes on; nothing if it is off."""
    return getattr(manager, "_global_capturing", None)


def captured_stream(manager: Optional[CaptureManager], part: str) -> Any:
    """The file that stands in the place of a stream, ``out`` or ``err``, while tests run; nothing if none does."""
    return getattr(getattr(capturing(manager), part, None), "tmpfile", None)


def is_capturing_file(kind: type) -> bool:
    """Whether files of this class are those that stand in the place of streams."""
    return kind.__module__ == "_pytest.capture"


def capture_anew(manager: CaptureManager) -> None:
    """Begin a capturing on the standard streams as they are, in place of one that may be broken."""
    old, manager._global_capturing = manager._global_capturing, None
    for part in (old.out, old.err, old.in_) if old is not None else ():
        with contextlib.suppress(Exception):  # one that was never started, or is broken
            if part is not None:
                part.done()
    manager.start_global_capturing()
    manager.suspend_global_capture()


def tear_down_left(next_item: pytest.Item) -> None:
    """Tear down what pytest did not get to and the next test does not need: that would fail for it."""
    state = next_item.session._setupstate
    needed = next_item.listchain()
    if any(node not in needed for node in state.stack):
        state.teardown_exact(next_item)


def faulthandler_descriptor(config: pytest.Config) -> Optional[int]:
    """The copy of standard error that pytest keeps for tracebacks of crashes."""
    with contextlib.suppress(ImportError):
        from _pytest import faulthandler

        key = faulthandler.fault_handler_stderr_fd_key
        return config.stash.get(key, None)
    return None


def renew_temporary_folders(config: pytest.Config) -> None:
    """Forget the folder for ``tmp_path`` that has been made."""
    from _pytest.tmpdir import TempPathFactory

    factory = TempPathFactory.from_config(config, _ispytest=True)
    config._tmp_path_factory = factory  # type: ignore[attr-defined]
    legacy = getattr(config, "_tmpdirhandler", None)
    if legacy is not None:
        legacy._tmppath_factory = factory


def fixture_at(frame: FrameType) -> Optional[Tuple[pytest.FixtureDef[Any], Phase]]:
    """The fixture that a frame of pytest's sets up or tears down."""
    if frame.f_globals.get("__name__") != "_pytest.fixtures":
        return None
    if frame.f_code.co_name == "finish":
        definition, phase = frame.f_locals.get("self"), "teardown"
    elif frame.f_code.co_name == "pytest_fixture_setup":
        definition, phase = frame.f_locals.get("fixturedef"), "setup"
    else:
        return None
    return (definition, phase) if hasattr(definition, "argname") else None  # type: ignore[return-value]


def fixtures_of(item: pytest.Item) -> List[pytest.FixtureDef[Any]]:
    """The fixtures that a test uses: of each name the definition that counts for it."""
    info = getattr(item, "_fixtureinfo", None)
    found: Sequence[Sequence[pytest.FixtureDef[Any]]] = list(getattr(info, "name2fixturedefs", {}).values())
    return [definitions[-1] for definitions in found if definitions]


def is_wide(definition: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture is set up once for several tests."""
    return bool(definition.scope != "function")


def parameters(item: pytest.Item) -> List[Tuple[str, object]]:
    """The parameters of a test, with their names."""
    spec = getattr(item, "callspec", None)
    return list(getattr(spec, "params", {}).items())


def finish(definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Tear a fixture down, so that it is set up anew for whoever needs it next."""
    definition.finish(request)  # type: ignore[arg-type]


def is_subtest(report: object) -> bool:
    """Whether a report is of a subtest: pytest-subtests' before pytest 9, which has its own."""
    return type(report).__name__ in ("SubtestReport", "SubTestReport")
