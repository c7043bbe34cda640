"""What a phase of a test came to, in the three words that a test's verdict is made of."""

from __future__ import annotations

from typing import Any, List

#: How pytest starts the reason of a test that is marked ``xfail(run=False)``: it is not run at all.
_NOT_RUN = "[NOTRUN]"


def outcome(report: Any) -> str:
    """``passed``, ``failed`` or ``skipped``. What fails as its ``xfail`` mark expects has run and is as it should be."""
    reason = getattr(report, "wasxfail", None)
    if report.outcome == "skipped" and reason is not None and _NOT_RUN not in reason:
        return "passed"
    return str(report.outcome)


def verdict(outcomes: List[str]) -> str:
    """What a test came to whose phases came to these."""
    for word in ("failed", "skipped"):
        if word in outcomes:
            return word
    return "passed"
