"""``pytest --jostle``: jostle stress-tests what pytest was asked to run."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Optional

import pytest

_OPTION = "--jostle"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option; what else jostle can be told stands in ``[tool.jostle]``."""
    parser.getgroup("jostle").addoption(
        _OPTION,
        action="store_true",
        help="run `jostle stress` with the other arguments: find isolation failures of these tests",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Becomes jostle, whose exit code is then that of the process.

    Raises ``pytest.UsageError`` if there is no jostle, or the option stands elsewhere than on the command line.
    """
    if not config.getoption(_OPTION):
        return
    given = config.invocation_params
    arguments = [argument for argument in map(str, given.args) if argument != _OPTION]
    if len(arguments) == len(given.args):
        raise pytest.UsageError(f"{_OPTION} belongs on the command line: elsewhere it would hold for jostle's own runs")
    program = _program()
    if program is None:
        raise pytest.UsageError(
            f"{_OPTION}: no program `jostle` beside {sys.executable} or on the PATH; `pip install` jostle here"
        )
    sys.stdout.flush()
    os.chdir(given.dir)
    os.execv(program, [program, "stress", "--python", sys.executable, "--", *arguments])


def _program() -> Optional[str]:
    beside = Path(sysconfig.get_path("scripts"), "jostle")
    return str(beside) if beside.is_file() else shutil.which("jostle")
