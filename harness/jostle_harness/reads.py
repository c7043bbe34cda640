"""Where the last test reads a place: the last line of the project that it ran and that names it.

Python tells nobody who reads a dictionary or an attribute. So the lines that load the place's name are known from the
bytecode, and a trace function notes which of them are run. Files are seen being opened as well.
"""

from __future__ import annotations

import dis
import os
import re
import sys
import tempfile
import types
from typing import TYPE_CHECKING, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from . import doctests, messages
from .crash import inside

if TYPE_CHECKING:
    from _typeshed import TraceFunction

_IN_TEMPORARY = " in the temporary folder"
#: What is given the name of an attribute as text.
_BY_TEXT = frozenset(("getattr", "hasattr", "vars", "__dict__"))


class Reads:
    """Looks from :meth:`start` to :meth:`stop`."""

    def __init__(self, name: str, rootdir: str) -> None:
        self._rootdir = rootdir
        self._sought = sought(name, rootdir)
        self._named = Lines([self._sought])
        self._lines: Dict[types.CodeType, FrozenSet[int]] = {}
        self._found: Optional[Tuple[str, int, str]] = None
        self._looks = False
        self._was_opened = False  # which says more than that a file is named

    def start(self) -> None:
        """Look from here on, in this thread."""
        if self._sought.sort is None:
            return
        self._looks = True
        self._before = sys.gettrace()
        if self._sought.sort == "file":
            sys.addaudithook(self._hear)
        sys.settrace(self._enter)

    def stop(self) -> Optional[messages.Line]:
        """Look no more; tells the last line that was seen to read the place."""
        if self._looks:
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
            self._lines[code] = frozenset(self._named.of(code, frame.f_globals)) if own else frozenset()
        return self._step if self._lines[code] else None

    def _step(self, frame: types.FrameType, event: str, _: object) -> TraceFunction:
        if event == "line" and not self._was_opened and frame.f_lineno in self._lines[frame.f_code]:
            self._note(frame)
        return self._step

    def _hear(self, event: str, arguments: Tuple[object, ...]) -> None:
        path = arguments[0] if self._looks and event == "open" else None
        if isinstance(path, (str, bytes)) and os.path.realpath(os.fsdecode(path)) == self._sought.text:
            self._was_opened = True
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


class Sought(NamedTuple):
    """What stands for a place in code."""

    #: ``name``, ``attribute``, ``global`` (a name of a module), ``constant``, ``part`` (of a constant), ``import`` or
    #: ``file``; none if nothing does.
    sort: Optional[str]
    #: The name, the constant, the module that is imported, or the path of the file.
    text: str
    #: The module of a global.
    module: str = ""


def sought(name: str, rootdir: str) -> Sought:
    """What stands for a place in code."""
    if name.startswith("file "):
        path = name[len("file ") :]
        if path.endswith(_IN_TEMPORARY):
            folder = os.path.realpath(tempfile.gettempdir())
            return Sought("file", os.path.join(folder, path[: -len(_IN_TEMPORARY)]))
        return Sought("file", os.path.realpath(os.path.join(rootdir, path)))
    patterns = (
        ("constant", r'os\.(?:environ\[|putenv\()"(.+)"[\])]$'),
        ("import", r'sys\.modules\["(.+)"\]$'),
        ("part", r"table (\w+) in "),
        ("name", r"(?:fixture|parameter|default argument|variable) (\w+) "),
        ("constant", r"thread (.+)$"),
        ("constant", r'(?:\w+\.)+\w+\("(.+)"\)$'),
        ("attribute", r"(?:\w+\.)+\w+\((?:\w+\.)*([^\W\d]\w*)\)$"),  # what a function is asked for
        ("attribute", r"(?:\w+\.)+([^\W\d]\w*)\(.*\)(?:\[.*\])?$"),  # the function
        ("attribute", r".*\.([^\W\d]\w*)(?:\[.*\])?(?: \(\d+\))?$"),
        ("name", r"([^\W\d]\w*)$"),
    )
    for sort, pattern in patterns:
        found = re.match(pattern, name)
        if found is None:
            continue
        module = _MODULE.findall(name[: max(found.start(1) - 1, 0)])[0]
        if sort == "attribute" and module in sys.modules:
            return Sought("global", found.group(1), module)
        return Sought(sort, found.group(1))
    return Sought(None, "")


#: The name of a module at the end of a text, or nothing.
_MODULE = re.compile(r"[\w.]*\Z")


class Lines:
    """The lines of functions that load what stands for places."""

    def __init__(self, places: Sequence[Sought]) -> None:
        self._places = places
        self._named: Dict[str, List[int]] = {}
        self._imports = [at for at, place in enumerate(places) if place.sort == "import"]
        self._parts = [at for at, place in enumerate(places) if place.sort == "part"]
        self._files: Dict[str, List[int]] = {}
        for at, place in enumerate(places):
            if place.sort == "file":
                self._files.setdefault(os.path.basename(place.text), []).append(at)
            elif place.sort in ("name", "attribute", "global", "constant"):
                self._named.setdefault(place.text, []).append(at)

    def of(self, code: types.CodeType, namespace: Dict[str, object]) -> Dict[int, Set[int]]:
        """The lines of a function with these globals, each with the numbers of the places."""
        starts = dict(dis.findlinestarts(code))
        found: Dict[int, Set[int]] = {}
        as_text: Dict[int, Set[int]] = {}
        by_text: Set[int] = set()
        line: Optional[int] = None
        before: Optional[dis.Instruction] = None
        imported: Set[object] = set()
        for instruction in dis.get_instructions(code):
            line = starts.get(instruction.offset, line)
            if instruction.opname == "EXTENDED_ARG":
                continue
            if instruction.opname == "IMPORT_NAME":
                imported.add(instruction.argval)
            places = self._loaded(instruction, before, namespace, imported)
            if line is not None:
                if places:
                    found.setdefault(line, set()).update(places)
                if instruction.opname == "LOAD_CONST":
                    as_text.setdefault(line, set()).update(self._as_text(instruction.argval))
                elif _is_any_of(instruction.argval, _BY_TEXT):
                    by_text.add(line)
            before = instruction
        for line in by_text:
            if as_text.get(line):
                found.setdefault(line, set()).update(as_text[line])
        return found

    def _as_text(self, constant: object) -> List[int]:
        """The places whose attribute has a text as its name."""
        named = self._named.get(constant, ()) if isinstance(constant, str) else ()
        return [at for at in named if self._places[at].sort in ("attribute", "global")]

    def _loaded(
        self,
        instruction: dis.Instruction,
        before: Optional[dis.Instruction],
        namespace: Dict[str, object],
        imported: Set[object],
    ) -> List[int]:
        value = instruction.argval
        if instruction.opname == "IMPORT_NAME":
            name = str(value) + "."
            return [at for at in self._imports if name.startswith(self._places[at].text + ".")]
        is_constant = instruction.opname == "LOAD_CONST"
        if not is_constant and not instruction.opname.startswith("LOAD") and instruction.opname != "IMPORT_FROM":
            return []
        found = []
        for text in value if isinstance(value, tuple) and not is_constant else (value,):
            for at in self._named.get(text, ()) if isinstance(text, str) else ():
                place = self._places[at]
                if is_constant or place.sort == "constant":
                    stands = is_constant and place.sort == "constant"
                elif place.sort == "global":
                    stands = _is_global(place, instruction, before, namespace, imported)
                else:
                    stands = place.sort == "name" or not instruction.opname.startswith(_OF_FUNCTION)
                if stands:
                    found.append(at)
        if is_constant and isinstance(value, str):
            parts = (at for at in self._parts if re.search(rf"\b{re.escape(self._places[at].text)}\b", value))
            found.extend(parts)
            base = value.rpartition("/")[2]
            if base in self._files and (base != value or "." in base):  # a word by itself may be any word
                found.extend(self._files[base])
        return found


def _is_any_of(value: object, names: FrozenSet[str]) -> bool:
    return any(isinstance(one, str) and one in names for one in (value if isinstance(value, tuple) else (value,)))


#: Instructions that load a name that is a function's own, or of one that encloses it.
_OF_FUNCTION = ("LOAD_FAST", "LOAD_DEREF", "LOAD_CLOSURE", "IMPORT_FROM")


def _is_global(
    place: Sought,
    instruction: dis.Instruction,
    before: Optional[dis.Instruction],
    namespace: Dict[str, object],
    imported: Set[object],
) -> bool:
    """Whether an instruction that loads the name of a module's global loads it from that module: as a name of the module
    itself or that was imported from it, or from what is that module."""
    module = sys.modules.get(place.module)
    own = vars(module) if isinstance(module, types.ModuleType) else {}
    if instruction.opname == "IMPORT_FROM":
        return place.module in imported
    if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
        there = place.text in namespace and place.text in own
        return namespace is own or there and namespace[place.text] is own[place.text]
    if instruction.opname not in ("LOAD_ATTR", "LOAD_METHOD") or before is None:
        return False
    owner = before.argval[-1] if isinstance(before.argval, tuple) and before.argval else before.argval
    if before.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
        return module is not None and namespace.get(owner) is module
    is_named_so = owner == place.module.rpartition(".")[2]
    if before.opname.startswith(_OF_FUNCTION):
        return is_named_so or place.module in imported
    return before.opname == "LOAD_ATTR" and is_named_so
