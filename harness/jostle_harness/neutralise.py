"""The suite's own options, put out of action one by one where they would disturb a plan.

``-p no:xdist`` makes pytest refuse the ``-n auto`` that stands in ``addopts``, and ``-o addopts=`` drops what the
suite needs. So flags that undo flags are appended, each only if the plugin that knows it is there.
"""

from __future__ import annotations

import copy
from typing import List

import pytest

#: Plugin name, as pytest registers it, and the flags that undo it.
_COUNTER_FLAGS = (
    ("xdist", ["-n0", "--dist=no"]),
    ("pytest_cov", ["--no-cov"]),
    ("rerunfailures", ["--reruns=0"]),
    ("flaky.flaky_pytest_plugin", ["--no-flaky-report", "--max-runs=1"]),
    ("pytest_repeat", ["--count=1"]),
)

#: Options without a flag that undoes them, and the value that does.
_OPTIONS = (
    ("stepwise", False),
    ("stepwise_skip", False),
    ("forked", False),
    ("random_order_bucket", "none"),
    ("random_order_enabled", False),
    ("looponfail", False),
    ("usepdb", False),
)


def counter_flags(config: pytest.Config) -> List[str]:
    """The flags that undo what the suite's options, and the loaded plugins' defaults, would do."""
    flags = ["--maxfail=0", "--continue-on-collection-errors"]
    for plugin, undo in _COUNTER_FLAGS:
        if config.pluginmanager.hasplugin(plugin):
            flags += undo
    if _randomly(config):
        flags += ["--randomly-dont-reorganize"]
    return flags


def _randomly(config: pytest.Config) -> bool:
    return bool(config.pluginmanager.hasplugin("randomly") or config.pluginmanager.hasplugin("pytest_randomly"))


def append(config: pytest.Config, parser: pytest.Parser, args: List[str], flags: List[str]) -> None:
    """Append flags to the arguments pytest is about to parse, before a ``--`` if there is one."""
    at = args.index("--") if "--" in args else len(args)
    args[at:at] = flags
    # Plugins such as pytest-cov read what is known so far in the hook that we are called from.
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(config.option))


def set_options(config: pytest.Config, random_seed: int) -> List[str]:
    """Set options that no flag undoes; tells which were changed."""
    changed = []
    for name, value in _OPTIONS:
        if getattr(config.option, name, value) not in (value, None):
            setattr(config.option, name, value)
            changed.append(f"{name}={value}")
    if _randomly(config):
        # Its reseeding before each test is what users expect; only the seed is the plan's.
        config.option.randomly_seed = random_seed
    return changed
