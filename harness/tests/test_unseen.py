"""Modules that the suite is not to find imported on the harness's account."""

import subprocess
import sys
from pathlib import Path

HARNESS = str(Path(__file__).parents[1])
#: In a process of its own, as the modules of this one are those of its tests.
HIDDEN = """
import sys
from jostle_harness import unseen
before = set(sys.modules)
import colorsys, sqlite3.dbapi2, xml.dom.minidom
kept = sqlite3, xml.dom.minidom, colorsys
specs = [module.__spec__ for module in kept]
brought = set(sys.modules) - before
unseen.hide(before)
assert not brought & set(sys.modules), brought & set(sys.modules)
"""


def run(code: str) -> None:
    """Run this once some modules are hidden."""
    command = [sys.executable, "-c", HIDDEN + code]
    done = subprocess.run(command, check=False, cwd=HARNESS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_hidden_is_the_same_once_it_is_imported() -> None:
    run(
        """
import colorsys, sqlite3, xml.dom.minidom
assert (sqlite3, xml.dom.minidom, colorsys) == kept
assert [module.__spec__ for module in kept] == specs
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
"""
    )


def test_an_import_brings_what_it_imports_and_nothing_else() -> None:
    run(
        """
import sqlite3
new = set(sys.modules) - before
assert {"sqlite3", "sqlite3.dbapi2", "_sqlite3"} <= new, new
assert not {"colorsys", "xml.dom.minidom"} & new, new
"""
    )


def test_a_module_that_was_given_and_is_deleted_is_imported_anew() -> None:
    run(
        """
import colorsys
del sys.modules["colorsys"]
import colorsys
assert colorsys is not kept[2]
"""
    )


def test_a_module_that_is_imported_unseen_stays_the_one_that_is_hidden() -> None:
    run(
        """
assert unseen.import_unseen("colorsys") is kept[2]
assert "colorsys" not in sys.modules
import colorsys
assert colorsys is kept[2]
"""
    )
