"""What the harness knows of pytest beyond its documented interface holds for the pytest that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from jostle_harness import pytest_private

SUITE = """
import os
import sys

import pytest

from jostle_harness import crash, pytest_private

made = []

@pytest.fixture(scope="module")
def wide():
    made.append("made")
    yield
    raise ValueError("in the teardown")

@pytest.fixture(params=[3])
def broken(request, wide):
    raise LookupError("in the setup")

def test_capture(request, wide, tmp_path_factory):
    manager = pytest_private.capture_manager(request.config)
    assert pytest_private.captured_stream(manager, "out") is sys.stdout
    assert pytest_private.captured_stream(manager, "err") is sys.stderr
    assert pytest_private.is_capturing_file(type(sys.stdout))
    assert pytest_private.captured_stream(None, "out") is None
    os.fstat(pytest_private.faulthandler_descriptor(request.config))
    assert {d.argname for d in pytest_private.fixtures_of(request.node)} >= {"wide", "tmp_path_factory"}

def test_folders(request, tmp_path_factory):
    before = tmp_path_factory.getbasetemp()
    request.config.option.basetemp = str(before / "other")
    pytest_private.renew_temporary_folders(request.config)
    assert request.config._tmp_path_factory.getbasetemp() == before / "other"

def test_broken(broken):
    pass
"""

CONFTEST = """
import pytest

from jostle_harness import crash, pytest_private

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    assert not pytest_private.is_subtest(outcome.get_result())
    found = None if call.excinfo is None else crash.failing_fixture(call.excinfo.value)
    if found is not None:
        print("FIXTURE", found[0].argname, found[1], pytest_private.parameters(item))

class Explainer:
    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        yield
        if fixturedef.argname == "wide":
            global known
            known = (fixturedef, request)

def pytest_configure(config):
    config.pluginmanager.register(Explainer())

def pytest_runtest_teardown(item):
    if item.name == "test_capture":
        definition, request = known
        assert definition.cached_result is not None
        with pytest.raises(ValueError):
            pytest_private.finish(definition, request)
        assert definition.cached_result is None
"""


def test_what_is_known_of_pytest_holds(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(SUITE)
    monkeypatch.setenv("PYTHONPATH", str(Path(pytest_private.__file__).parent.parent))
    result = pytester.runpytest_subprocess("-rA", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*FIXTURE broken setup [[]('broken', 3)]*"])
    result.stdout.fnmatch_lines(["*FIXTURE wide teardown [[]('broken', 3)]*"])
