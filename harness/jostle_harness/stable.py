"""Texts that are the same in each run: what is shown and compared holds no address, no folder of ours and no duration."""

from __future__ import annotations

import itertools
import os
import re
from typing import Dict, List, Pattern, Tuple

#: Where an object lies in memory. pytest cuts long texts in their middle, and so an address, too.
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b|\b0x[0-9a-fA-F]+(?=\.\.\.)|(?<=\.\.\.)0?x?[0-9a-f]{1,16}(?=>)")
#: What a clock has measured has digits after the point; a limit that somebody set has one at most.
_DURATION = re.compile(r"\b\d+\.\d{2,}(?= ?(?:ns|us|µs|ms|s|secs?|seconds?|min|minutes?)\b)")
#: Names that :mod:`tempfile` makes up.
_MADE_UP = re.compile(r"(?<=\$TMPDIR/)tmp[a-z0-9_]{8}(?![a-z0-9_])")
_ONCE_ONLY = re.compile(r"(?i)\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b")

#: How the names of sessions' folders begin.
_SESSION = "jostle-"
_folders: Dict[str, List[Tuple[Pattern[str], str]]] = {}


def set_folder(folder: str) -> None:
    """Make known a trial's folder, which has another name in each session. ``tmp`` in it is ``TMPDIR``."""
    whole = sorted({folder, os.path.realpath(folder)}, key=len, reverse=True)
    inner = [(os.path.join(path, "tmp"), "$TMPDIR") for path in whole]
    paths = [*inner, *((path, "…") for path in whole)]
    _folders[folder] = [(re.compile(re.escape(path) + r"(?![\w.-])"), symbol) for path, symbol in paths]
    session, trial = os.path.split(folder)
    name = os.path.basename(session)
    if name.startswith(_SESSION):
        _folders[folder].append((_named(name, trial), "…"))


def _named(name: str, below: str) -> Pattern[str]:
    """A session's name, and what is left of it where pytest has cut a text within it."""
    starts = "|".join(re.escape(name[:end]) for end in range(len(name) - 1, len(_SESSION), -1))
    ends = "|".join(re.escape(name[start:]) for start in range(1, len(name)))
    return re.compile(rf"\b{re.escape(name)}\b|\b(?:{starts})(?=\.\.\.)|(?<=\.\.\.)(?:{ends})(?=/{re.escape(below)}\b)")


def stable(string: str) -> str:
    """The text without what is another in the next run."""
    for pattern, symbol in itertools.chain.from_iterable(_folders.values()):
        string = pattern.sub(symbol, string)
    string = _MADE_UP.sub("tmp…", string)
    return _DURATION.sub("…", _ADDRESS.sub("0x…", string))


def is_stable(string: str) -> bool:
    """Whether a text is likely to be the same in the next run: it holds none of these, and no UUID."""
    return stable(string) == string and _ONCE_ONLY.search(string) is None
