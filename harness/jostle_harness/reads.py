"""Where the last test reads a place: the last line of the project that it ran and that names it.

Python tells nobody who reads a dictionary or an attribute. So the lines that load the place's name are known from the
bytecode, and a trace function notes which of them are run. Files and modules are seen being opened and imported.
"""

from __future__ import annotations

import dis
import os
import re
import sys
import tempfile
import types
from typing import TYPE_CHECKING, Dict, FrozenSet, Optional, Set, Tuple

from . import doctests, messages
from .crash import inside

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_IN_TEMPORARY = " in the temporary folder"


class Reads:
    """Looks from :meth:`start` to :meth:`stop`."""

    def __init__(self, name: str, rootdir: str) -> None:
        self._rootdir = rootdir
        self._sort, self._text = sought(name, rootdir)
        self._lines: Dict[types.CodeType, FrozenSet[int]] = {}
        self._found: Optional[Tuple[str, int, str]] = None
        self._looks = False

    def start(self) -> None:
        """Look from here on, in this thread."""
        if self._sort is None:
            return
        self._looks = True
        self._before = sys.gettrace()
        if self._sort == "file":
            sys.addaudithook(self._hear)
        else:
            sys.settrace(self._enter)

    def stop(self) -> Optional[messages.Line]:
        """Look no more; tells the last line that was seen to read the place."""
        if self._looks and self._sort != "file":
            sys.settrace(self._before)
        self._looks = False
        if self._found is None:
            return None
        file, line, function = self._found
        return {"file": file, "line": line, "function": function}

    def _enter(self, frame: types.FrameType, event: str, _: object) -> Optional[TraceFunction]:
        code = frame.f_code
        if code not in self._lines:
            own = inside(code.co_filename, self._rootdir) is not None
            self._lines[code] = frozenset(lines_of(code, str(self._sort), self._text)) if own else frozenset()
        return self._step if self._lines[code] else None

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event == "line" and frame.f_lineno in self._lines[frame.f_code]:
            self._note(frame)
        return self._step

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        path = arguments[0] if self._looks and event == "open" else None
        if isinstance(path, (str, bytes)) and os.path.realpath(os.fsdecode(path)) == self._text:
            self._note(sys._getframe(1))

    def _note(self, frame: Optional[types.FrameType]) -> None:
        """The innermost line of the project."""
        while frame is not None:
            file = inside(frame.f_code.co_filename, self._rootdir)
            if file is not None and not file.startswith("jostle_harness/"):
                code = frame.f_code
                self._found = (file, *doctests.line_of(code.co_filename, frame.f_lineno, code.co_name))
                return
            frame = frame.f_back


def sought(name: str, rootdir: str) -> Tuple[Optional[str], str]:
    """What stands for a place in code: a name, a constant, an imported module, or the path of a file."""
    if name.startswith("file "):
        path = name[len("file ") :]
        if path.endswith(_IN_TEMPORARY):
            return "file", os.path.join(os.path.realpath(tempfile.gettempdir()), path[: -len(_IN_TEMPORARY)])
        return "file", os.path.realpath(os.path.join(rootdir, path))
    patterns = (
        ("constant", r'os\.environ\["(.+)"\]$'),
        ("import", r'sys\.modules\["(.+)"\]$'),
        ("part", r"table (\w+) in "),
        ("name", r"(?:fixture|parameter|default argument|variable) (\w+) "),
        ("name", r".*\.([^\W\d]\w*)(?:\[.*\])?(?: \(\d+\))?$"),
    )
    for sort, pattern in patterns:
        found = re.match(pattern, name)
        if found is not None:
            return sort, found.group(1)
    return None, ""


def lines_of(code: types.CodeType, sort: str, text: str) -> Set[int]:
    """The lines of a function that load what is sought."""
    starts = dict(dis.findlinestarts(code))
    found = set()
    line: Optional[int] = None
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset, line)
        if line is not None and _loads(instruction, sort, text):
            found.add(line)
    return found


def _loads(instruction: dis.Instruction, sort: str, text: str) -> bool:
    value = instruction.argval
    if sort == "import":
        return instruction.opname == "IMPORT_NAME" and (value == text or str(value).startswith(text + "."))
    if not instruction.opname.startswith("LOAD"):
        return False
    if sort == "part":
        return isinstance(value, str) and re.search(rf"\b{re.escape(text)}\b", value) is not None
    if (instruction.opname == "LOAD_CONST") != (sort == "constant"):
        return False
    return value == text or (isinstance(value, tuple) and sort == "name" and text in value)
