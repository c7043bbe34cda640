"""Where and with what a test crashed, as it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from jostle_harness import crash

CONFTEST = """
import pytest

from jostle_harness import crash

@pytest.fixture
def of_folder():
    raise LookupError("in the setup")

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    yield
    found = None if call.excinfo is None else crash.failing_fixture(call.excinfo.value)
    if found is not None:
        told = crash.fixture(found[0], found[1], str(item.config.rootpath))
        print("FIXTURE", told["name"], told["file"])
        print("PLACE", crash.fixture_place(found[0], str(item.config.rootpath)))
"""

SUITE = """
import pytest

class TestOwn:
    @pytest.fixture
    def of_class(self):
        raise LookupError("in the setup")

    def test_class(self, of_class):
        pass

def test_folder(of_folder):
    pass
"""

MADE = """
def setup_module():
    raise LookupError("in the setup")

def test_module():
    pass
"""


def test_a_fixture_is_told_with_its_file_and_not_with_a_folder(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"conftest.py": CONFTEST, "test_own.py": SUITE, "test_made.py": MADE}
    folder = pytester.mkdir("tests")
    for name, source in files.items():
        (folder / name).write_text(source, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(Path(crash.__file__).parent.parent))
    result = pytester.runpytest_subprocess("-rA", "-p", "no:cacheprovider")
    result.assert_outcomes(errors=3)
    told = dict(line.partition("FIXTURE ")[2].split() for line in result.outlines if "FIXTURE " in line)
    assert told == {
        "of_folder": "tests/conftest.py",
        "of_class": "tests/test_own.py",
        "setup_module": "tests/test_made.py",
    }
    places = {line.partition("PLACE ")[2] for line in result.outlines if "PLACE " in line}
    ours = {
        "fixture of_folder of tests/conftest.py (scope function)",
        "fixture of_class of tests/test_own.py (scope function)",
    }
    made = [f"setup_module of {module} in tests/test_made.py" for module in ("test_made", "tests.test_made")]
    assert places in [{*ours, name} for name in made]
