"""Lines inside doctests. Python knows them by the doctest's name and the number of the example, as of no file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Dict, NamedTuple, Optional, Tuple

if TYPE_CHECKING:
    import doctest

    import pytest

#: How such code is called. Doctests of two files may share a name: it is of the file that was run last.
PREFIX = "<doctest "
_CODE = re.compile(r"<doctest (.*)\[(\d+)\]>$")


class _Doctest(NamedTuple):
    file: str
    function: str
    #: For each example the 0-based line where it starts.
    starts: Tuple[int, ...]


_known: Dict[str, _Doctest] = {}


def know(item: pytest.Item) -> None:
    """Note where the examples of a test are, if it is a doctest whose lines can be told."""
    dtest: Optional[doctest.DocTest] = getattr(item, "dtest", None)
    if dtest is None or dtest.filename is None or dtest.lineno is None:
        return
    is_text = dtest.name == os.path.basename(dtest.filename)
    function = "doctest" if is_text else f"doctest of {dtest.name}"
    starts = tuple(dtest.lineno + example.lineno for example in dtest.examples)
    _known[dtest.name] = _Doctest(dtest.filename, function, starts)


def file_of(filename: str) -> Optional[str]:
    """The file that the code of a doctest was read from; nothing for any other code."""
    found = _CODE.match(filename)
    known = None if found is None else _known.get(found.group(1))
    return None if known is None else known.file


def line_of(filename: str, line: int, function: str) -> Tuple[int, str]:
    """The line in that file, and the function; as they are given for any other code."""
    found = _CODE.match(filename)
    known = None if found is None else _known.get(found.group(1))
    if found is None or known is None:
        return line, function
    return known.starts[int(found.group(2))] + line, known.function if function == "<module>" else function
