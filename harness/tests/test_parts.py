import subprocess
import sys
from pathlib import Path

import pytest
from jostle_harness.channel import Setup
from jostle_harness.parts import needed


@pytest.mark.parametrize(
    ("purpose", "explain", "watch", "parts"),
    [
        ("run", None, None, []),
        ("run", {}, None, ["explain"]),
        ("run", None, {}, ["watch"]),
        ("collect", None, None, ["admitted"]),
        ("serve", None, None, ["admitted", "explain", "watch", "checkpoint", "zygote"]),
    ],
)
def test_a_process_imports_what_it_is_for(purpose, explain, watch, parts):
    setup = Setup.__new__(Setup)
    setup.purpose, setup.explain, setup.watch = purpose, explain, watch
    assert needed(setup) == parts


def test_what_only_some_processes_need_is_imported_by_none_beforehand():
    code = "import sys, jostle_harness.plugin; print(sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    parts = needed_by_forks()
    assert "jostle_harness.loop" in ran.stdout
    assert [part for part in parts if f"'jostle_harness.{part}'" in ran.stdout] == []
    assert "'sqlite3'" not in ran.stdout


def needed_by_forks():
    setup = Setup.__new__(Setup)
    setup.purpose = "serve"
    return needed(setup)
