"""What a phase of a test came to, in the three words that a test's verdict is made of."""

from __future__ import annotations

from typing import List, Union

import pytest

from .messages import Outcome

#: How pytest starts the reason of a test that is marked ``xfail(run=False)``: it is not run at all.
_NOT_RUN = "[NOTRUN]"


def outcome(report: Union[pytest.TestReport, pytest.CollectReport]) -> Outcome:
    """``passed``, ``failed`` or ``skipped``. What fails as its ``xfail`` mark expects has run and is as it should be."""
    reason = getattr(report, "wasxfail", None)
    if report.outcome == "skipped" and reason is not None and _NOT_RUN not in reason:
        return "passed"
    return report.outcome


def verdict(outcomes: List[Outcome]) -> Outcome:
    """What a test came to whose phases came to these."""
    if "failed" in outcomes:
        return "failed"
    return "skipped" if "skipped" in outcomes else "passed"
