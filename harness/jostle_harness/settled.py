"""Which changes only the first use of something makes: of an import, a cache, or what a library does once for all who use it."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import Callable, Container, Dict, FrozenSet, Iterable, List

from . import limits
from .places import Place

#: What stays as it is once a test has left it, and is no library's.
STAYS = frozenset(
    (
        "thread",
        "child process",
        "descriptor",
        "port",
        "file system",
        "database",
        "session/module fixture state",
        "random state",  # who seeds is told from who draws by what the same test leaves next
    )
)
#: What pytest puts back after each test.
FILTERS = "warnings.filters"
#: A function, a class or an object of a module, as it is shown.
_OF_MODULE = re.compile(r"<(?!locals>)(?:function |class |bound method )?([\w.]+)")
#: A step of a path that its module, class or object keeps to itself.
_PRIVATE = re.compile(r"(?:^|\.)_(?!_)")
#: Registries that are private by their names, and are filled by whoever calls for it.
_REGISTRIES = (
    "xml.etree.ElementTree._namespace_map",
    "shutil._ARCHIVE_FORMATS",
    "shutil._UNPACK_FORMATS",
    "webbrowser._browsers",
)
#: Tables of what is made for whoever asks first, and of which nothing but the time that it takes depends.
_MADE_ONCE = (
    "logging.Logger.manager.loggerDict[",
    "logging.root.manager.loggerDict[",
)
#: What libraries call that which they keep to be faster, and what Python shows of it.
_FASTER = re.compile(r"cache|memo(?!r)", re.IGNORECASE)
_CACHED = " cached results"
#: Where modules register what is theirs as they are imported.
_BY_IMPORTS = ("the classes that are registered with ", "copyreg.dispatch_table[", "ctypes.pythonapi.")
#: What Python itself keeps of a class, once somebody copies or pickles an object of it, or asks for its annotations.
_BY_PYTHON = (".__slotnames__", ".__annotations__", ".__annotations_cache__")
#: What is of a test or of a fixture alone.
_NOT_OF_MODULES = ("parameter ", "fixture ")
_WORD = re.compile(r"\w+")
#: What tells places of one name apart.
_LAST = re.compile(r" \(\d+\)$")
_open = open  # bound now: a test may replace it
_NOTHING = ("(absent)", "None", "False", "{}", "[]", "set()", "''", "b''")
#: A text, which a test may have given, or an object as it is shown, the last of which may be cut, and what is said of those that
#: are left out.
_TEXT_OR_OBJECT = re.compile(r"('(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")|<[^<>]*(?:>|$)|, … \d+ more")
#: A text of several numbers, such as a version, a date or an address.
_NUMBERS = re.compile(r"\d+(?:[.:/-]\d+)+")


def comes_along(place: Place, places: List[Place], is_own: Callable[[str], bool]) -> bool:
    """Whether a module was put into the table by another that was imported, as those that are written in C do, or a module of
    others that was imported has registered what is its own."""
    if place.name.startswith(_BY_IMPORTS) and not _is_of_project(place, is_own):
        return any(other.name.startswith("sys.modules[") and other.low_confidence for other in places)
    parent = place.name.rpartition(".")[0] + '"]'
    return place.name.startswith('sys.modules["') and any(
        other.name == parent and other.low_confidence and other.old == "(absent)" for other in places
    )


def use_libraries() -> None:
    """Have libraries do what their first use does to public names of theirs: replacing tables by others is else what a test does
    to them."""
    mimetypes = sys.modules.get("mimetypes")
    if mimetypes is not None and not mimetypes.inited:
        mimetypes.init()


def _is_handed_out(place: Place) -> bool:
    """Whether a library has put a function or a class of its own where it gives it to whoever asks first."""
    parts = _OF_MODULE.findall(place.new) if place.new.startswith(("<function ", "<class ")) else []
    package = place.name.partition(".")[0]
    return bool(parts) and place.old == "(absent)" and all(part.partition(".")[0] == package for part in parts)


def is_settled(place: Place, is_own: Callable[[str], bool], words: Container[str] = ()) -> bool:
    """Whether a change is likely one that only the first use of a library makes: of a cache, an import, or what an object
    of installed code remembers for itself. What the test's own file names by a word is not, unless its name says so."""
    if place.kind in STAYS:
        return False
    if (
        is_cache(place)
        or place.new.endswith(_CACHED)
        or place.name.startswith(_MADE_ONCE)
        or place.kind == "import-time"
        or place.name.endswith(_BY_PYTHON)
        and place.old == "(absent)"
        or place.name == FILTERS
        and place.restore is None
        or place.name.startswith("sys.modules[")
        and place.low_confidence
    ):
        return True
    if not place.low_confidence or place.name.startswith(_REGISTRIES):
        return False
    if _is_of_project(place, is_own):
        return False
    if _PRIVATE.search(place.name) or _FASTER.search(place.name):
        return True
    if _is_handed_out(place):
        return True
    return place.old in _NOTHING and place.old != "(absent)" and not _is_named(place, words)


def may_be_first_use(place: Place, is_own: Callable[[str], bool], words: Container[str]) -> bool:
    """Whether a change is one that code may make for itself as it is used for the first time, so that a second use is to tell.

    It makes what was not there, or counts up, under a name that it keeps to itself or calls a cache; or a module gets a
    function or a class of its own package's. Neither the name, nor the key, nor the value is a word of the test's file:
    what a test sets by itself, or by what it gives to a function, is no first use.
    """
    if place.kind != "global/module state" or place.name.startswith(_NOT_OF_MODULES):
        return False
    if not (place.old in _NOTHING or _has_grown(place)) or _is_named(place, words):
        return False
    parts = _OF_MODULE.findall(place.new)
    if any(_is_word(part.rpartition(".")[2], words) for part in parts) or any(map(_is_of_tests, parts)):
        return False
    return bool(_PRIVATE.search(place.name) or _FASTER.search(place.name)) or _is_handed_out(place)


def _has_grown(place: Place) -> bool:
    """Whether a number counts up."""
    return place.old.isdecimal() and place.new.isdecimal() and int(place.old) < int(place.new)


def _is_named(place: Place, words: Container[str]) -> bool:
    """Whether the attribute of a place, its key or its plain value is a word of the test's file."""
    attribute, _, key = _LAST.sub("", place.name).rpartition(".")[2].partition("[")
    found = [attribute, *_WORD.findall(key)]
    held = _WORD.findall(_without_objects(place.new))
    if place.new.startswith("<") or _has_grown(place):
        held = []
    elif place.new.startswith(("'", '"')):
        if _NUMBERS.fullmatch(place.new[1:-1]):  # any file may have such numbers, each for itself
            held = [place.new[1:-1]]
        held = held if all(word in words for word in held) else []  # a text that is made of others has words of its own
    return any(_is_word(word, words) for word in (*found, *held[: limits.WORDS]))


def _without_objects(shown: str) -> str:
    """What is shown of a value but for the objects in it, which may hold others."""
    before = None
    while shown != before and not shown.startswith(("'", '"')):
        before, shown = shown, _TEXT_OR_OBJECT.sub(r"\1", shown)
    return shown


def _is_word(word: str, words: Container[str]) -> bool:
    return word in words and word not in ("None", "True", "False")


def _is_of_tests(name: str) -> bool:
    return any(part in ("tests", "conftest") or part.startswith("test_") for part in name.split("."))


class Words:
    """The words of test files, and of the conftests beside them."""

    def __init__(self, conftests: Iterable[str]) -> None:
        self._of_files: Dict[str, FrozenSet[str]] = {}
        self._conftests = list(conftests)

    def of(self, file: str) -> FrozenSet[str]:
        """The words of a file, and those of the conftests."""
        return self._of_file(file).union(*map(self._of_file, self._conftests))

    def _of_file(self, file: str) -> FrozenSet[str]:
        if file not in self._of_files:
            text = b""
            with contextlib.suppress(OSError), _open(file, "rb") as source:
                text = source.read()
            found = text.decode("utf-8", "replace")
            numbers = _NUMBERS.findall(found)
            parts = [part for text in numbers for part in re.split("[:/]", text)]
            self._of_files[file] = frozenset((*_WORD.findall(found), *numbers, *parts))
        return self._of_files[file]


def _is_of_project(place: Place, is_own: Callable[[str], bool]) -> bool:
    """Whether a place holds something of the project's."""
    parts = _OF_MODULE.findall(place.new)
    return any(is_own(part.rpartition(".")[0]) or is_own(part.partition(".")[0]) for part in parts)


def is_cache(place: Place) -> bool:
    """Whether a place is what a cache keeps, which can be cleared."""
    return place.recipe is not None and place.recipe["how"] == "cache"
