import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from jostle_harness import messages
from jostle_harness.channel import Setup
from jostle_harness.parts import needed


@pytest.mark.parametrize(
    ("purpose", "explain", "watch", "parts"),
    [
        ("run", None, None, []),
        ("run", {"left": False, "readers": []}, None, ["explain"]),
        ("run", {"left": True, "readers": []}, None, ["leaks"]),
        ("run", {"left": False, "readers": ["a"]}, None, ["readers"]),
        ("run", None, {}, ["watch"]),
        ("collect", None, None, ["admitted"]),
        ("serve", None, None, ["admitted", "explain", "leaks", "readers", "watch", "checkpoint", "zygote"]),
    ],
)
def test_a_process_imports_what_it_is_for(
    purpose: messages.Purpose, explain: object, watch: object, parts: List[str]
) -> None:
    assert needed(_setup(purpose, explain, watch)) == parts


def test_what_only_some_processes_need_is_imported_by_none_beforehand() -> None:
    code = "import sys, jostle_harness.plugin; print(sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    parts = needed(_setup("serve", None, None))
    assert "jostle_harness.loop" in ran.stdout
    assert [part for part in parts if f"'jostle_harness.{part}'" in ran.stdout] == []
    assert "'sqlite3'" not in ran.stdout


def _setup(purpose: messages.Purpose, explain: object, watch: object) -> Setup:
    setup = Setup.__new__(Setup)
    setup.purpose = purpose
    vars(setup).update(explain=explain, watch=watch)
    return setup
