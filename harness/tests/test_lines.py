"""The line of the project that has made the last call stands in memory."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import FrameType
from typing import Optional

import pytest
from jostle_harness.lines import Lines


class Names:
    """Lines of this file alone are the project's."""

    def line(self, frame: FrameType) -> Optional[str]:
        """As ``Outside.line``."""
        return f"{Path(__file__).name}:{frame.f_lineno}" if frame.f_code.co_filename == __file__ else None


@pytest.fixture
def lines() -> Lines:
    return Lines(Names())  # type: ignore[arg-type]


def said(lines: Lines) -> str:
    return ctypes.string_at(lines.address).decode()


def test_the_last_line_of_the_project_that_made_a_call_is_kept(lines: Lines) -> None:
    assert said(lines) == ""
    here = sys._getframe()
    lines.passes(here)
    assert said(lines) == f"test_lines.py:{here.f_lineno - 1}"
    lines.passes(here)
    second = said(lines)
    assert second == f"test_lines.py:{here.f_lineno - 2}"
    assert here.f_back is not None
    lines.passes(here.f_back)
    assert said(lines) == second, "pytest's own frames leave it as it is"
    lines.passes(None)
    lines.forget()
    assert said(lines) == ""
