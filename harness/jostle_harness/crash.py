"""Where and with what a test or a collector crashed."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple

from . import doctests, messages
from .channel import text
from .pytest_private import fixture_at
from .stable import stable

if TYPE_CHECKING:
    from pytest import FixtureDef

_MESSAGE = 2_000
_TRACE = 20_000
#: How pytest names the fixtures that it makes of ``setup_module``, ``setUpClass`` and the like, and of which class or module.
_MADE = re.compile(r"_?(?:xunit|unittest)_(\w+?)_fixture_(.*)", re.DOTALL)
_FOREIGN = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def exception_name(kind: type) -> str:
    """The type's name, with its module unless that is ``builtins``."""
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", str(kind))
    return text(name if module == "builtins" else f"{module}.{name}")


def _frames(error: BaseException) -> Iterator[Tuple[str, str, int]]:
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        line, function = doctests.line_of(code.co_filename, traceback.tb_lineno, code.co_name)
        yield code.co_filename, function, line
        traceback = traceback.tb_next


def inside(filename: str, rootdir: str) -> Optional[str]:
    """The file's path relative to rootdir, if it is the suite's own and no installed package's."""
    if filename.startswith("<"):  # code without a file: "<string>", "<frozen os>"
        file = doctests.file_of(filename)
        return None if file is None else inside(file, rootdir)
    try:
        path = os.path.abspath(filename)
    except OSError:  # a relative path, and the working folder is gone
        return None
    if any(part in path for part in _FOREIGN) or not path.startswith(rootdir.rstrip(os.sep) + os.sep):
        return None
    return os.path.relpath(path, rootdir).replace(os.sep, "/")


def location(error: BaseException, rootdir: str) -> Tuple[str, str, int]:
    """File, function and line of the innermost frame inside rootdir, else of the innermost frame."""
    found = ("", "", 0)
    own = _example(error, rootdir)
    for filename, function, line in _frames(error):
        file = inside(filename, rootdir)
        found = (os.path.basename(filename), function, line)
        if file is not None:
            own = (file, function, line)
    return own or found


def failing_fixture(error: BaseException) -> Optional[Tuple[FixtureDef[Any], messages.Phase]]:
    """The definition of the fixture that raised this, and the phase of it in which it did; nothing if none did.

    It is read off the traceback: pytest charges a test with it, in whichever phase of that test it was needed or over.
    An error that pytest kept, and raises for each test that asks for the fixture, has the traceback of the first time.
    """
    found = None
    traceback = error.__traceback__
    while traceback is not None:
        found = fixture_at(traceback.tb_frame) or found
        traceback = traceback.tb_next
    return found


def fixture(definition: FixtureDef[Any], phase: messages.Phase, rootdir: str) -> messages.Fixture:
    """The ``fixture`` field of a failure."""
    made = _MADE.match(definition.argname)
    return {
        "name": text(made.group(1) if made is not None else definition.argname),
        "scope": text(definition.scope),
        "file": text(_file_of(definition, rootdir)),
        "phase": phase,
    }


def fixture_place(definition: FixtureDef[Any], rootdir: str) -> str:
    """What a fixture is called as a place of state, with the project's file that defines it, as others may have its name:
    ``fixture engine of conftest.py (scope session)``, ``setup_class of TestCart in tests/test_cart.py``."""
    made = _MADE.match(definition.argname)
    file = _project_file_of(definition, rootdir)
    if made is not None:
        return " of ".join(made.groups()) + (f" in {file}" if file else "")
    of = f" of {file}" if file else ""
    return text(f"fixture {definition.argname}{of} (scope {definition.scope})")


def is_of_project(definition: FixtureDef[Any], rootdir: str) -> bool:
    """Whether a file of the project's defines a fixture, and not pytest or a plugin."""
    return bool(_project_file_of(definition, rootdir))


def _project_file_of(definition: FixtureDef[Any], rootdir: str) -> str:
    """The project's file that defines a fixture, if any does."""
    known = definition.baseid.split("::")[0]
    if known.endswith(".py"):
        return known
    code = getattr(definition.func, "__code__", None)
    return (inside(code.co_filename, rootdir) if code is not None else None) or ""


def _file_of(definition: FixtureDef[Any], rootdir: str) -> str:
    """The file that defines a fixture: of what is no test file, pytest knows the folder only, if any."""
    code = getattr(definition.func, "__code__", None)
    filename = "" if code is None else code.co_filename
    return _project_file_of(definition, rootdir) or definition.baseid.split("::")[0] or os.path.basename(filename)


def _of_doctest(error: BaseException) -> BaseException:
    """What went wrong first in a doctest: what an example raised, or that it printed something else."""
    first = next(iter(getattr(error, "failures", None) or ()), error)
    doctest = sys.modules.get("doctest")
    if doctest is not None and isinstance(first, doctest.UnexpectedException):
        raised: BaseException = first.exc_info[1]
        return raised
    return first if doctest is not None and isinstance(first, doctest.DocTestFailure) else error


def _example(error: BaseException, rootdir: str) -> Optional[Tuple[str, str, int]]:
    """Where an example is that printed something else than it should."""
    test, failed = getattr(error, "test", None), getattr(error, "example", None)
    for number, example in enumerate(getattr(test, "examples", ())):
        code = f"<doctest {test.name}[{number}]>"  # type: ignore[union-attr]
        file = inside(code, rootdir) if example is failed else None
        if file is not None:
            line, function = doctests.line_of(code, 1, "<module>")
            return file, function, line
    return None


def failure(phase: messages.Phase, error: BaseException, trace: object, rootdir: str, test: str) -> messages.Failure:
    """The ``failure`` field of a ``finish`` message; ``test`` is the test's own file, relative to rootdir."""
    error = _of_doctest(error)
    file, function, line = location(error, rootdir)
    own = (line for filename, _, line in _frames(error) if inside(filename, rootdir) == test)
    raised = failing_fixture(error)
    return {
        "fixture": None if raised is None else fixture(*raised, rootdir),
        "phase": phase,
        "exception": exception_name(type(error)),
        "file": stable(text(file)),
        "function": stable(text(function)),
        "line": line,
        "test_line": next(own, line if file == test else 0),
        "message": _message(error),
        "trace": stable(text(trace, _TRACE)),
    }


def verdict(phase: messages.Phase, reason: str, file: str, function: str) -> messages.Failure:
    """A ``failure`` field for a verdict of pytest's own, without an exception: a strict xfail that passed."""
    trace = stable(text(reason, _TRACE))
    return {
        "fixture": None,
        "phase": phase,
        "exception": "Failed",
        "file": text(file),
        "function": text(function),
        "line": 0,
        "test_line": 0,
        "message": trace[:_MESSAGE],
        "trace": trace,
    }


def collection_error(node_id: str, error: BaseException, trace: object, rootdir: str) -> messages.CollectionError:
    """An entry of the ``errors`` field of a ``collected`` message."""
    # pytest wraps what an import raised in a CollectError, whose cause is the exception itself.
    cause = error.__cause__ if type(error).__name__ == "CollectError" and error.__cause__ else error
    file, _, line = location(cause, rootdir)
    if isinstance(cause, SyntaxError) and cause.filename:
        file, line = inside(cause.filename, rootdir) or cause.filename, cause.lineno or 0
    return {
        "node_id": text(node_id),
        "exception": exception_name(type(cause)),
        "message": _message(cause),
        "file": text(file) or None,
        "line": line or None,
        "trace": stable(text(trace, _TRACE)),
    }


def _message(error: BaseException) -> str:
    said: object = error
    if hasattr(error, "example") and hasattr(error, "got"):  # a doctest's failure shows its test
        said = f"expected {error.example.want!r}, got {error.got!r}"
    return stable(text(said)[: 2 * _MESSAGE])[:_MESSAGE]
