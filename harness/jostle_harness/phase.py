"""What a phase of a test came to, in the words that a test's verdict is made of."""

from __future__ import annotations

from typing import List, Tuple, Union

import pytest

from .messages import Outcome

#: How pytest starts the reason of a test that is marked ``xfail(run=False)``: it is not run at all.
_NOT_RUN = "[NOTRUN]"


def outcome(report: Union[pytest.TestReport, pytest.CollectReport]) -> Outcome:
    """``passed``, ``failed`` or ``skipped``, or ``xfailed`` for what has run and failed as is expected of it."""
    reason = getattr(report, "wasxfail", None)
    if report.outcome == "skipped" and reason is not None and _NOT_RUN not in reason:
        return "xfailed"
    return report.outcome


def verdict(outcomes: List[Outcome]) -> Outcome:
    """What a test came to whose phases came to these."""
    worst: Tuple[Outcome, ...] = ("failed", "skipped", "xfailed")
    return next((word for word in worst if word in outcomes), "passed")
