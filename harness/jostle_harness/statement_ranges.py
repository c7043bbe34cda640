"""What pytest shows of a failure's source, found without parsing whole files.

For each call of a failure's traceback pytest parses the file that it is in, to find where the statement ends: seconds for each
failure in libraries such as SQLAlchemy, in a fork each time anew. The function that the call is in tells the same.
"""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING, Any, List, Optional, Sequence, Tuple

from . import limits

if TYPE_CHECKING:
    from types import ModuleType

_CLOSING = (")", "]", "}")


def quicken(module: ModuleType) -> None:
    """Have pytest's module of tracebacks find statements so; nothing where it does not find them as it is known to."""
    whole = getattr(module, "getstatementrange_ast", None)
    if whole is None:
        return

    def found(
        lineno: int, source: Any, assertion: bool = False, astnode: Optional[ast.AST] = None
    ) -> Tuple[Optional[ast.AST], int, int]:
        around = function_around(source.lines, lineno) if astnode is None else None
        if around is None:
            known: Tuple[ast.AST, int, int] = whole(lineno, source, assertion, astnode)
            return known
        _, start, end = whole(lineno, source, assertion, around)
        # The function says nothing of other lines of the file.
        return None, start, end

    module.getstatementrange_ast = found  # type: ignore[attr-defined]


def function_around(lines: Sequence[str], at: int) -> Optional[ast.Module]:
    """The innermost function around the line with this index, with a statement in place of what follows it; both have the numbers
    of their lines in the file, from 1 on. None where the file is short, the line is in no function, or its end is not sure."""
    if len(lines) < limits.LONG_FILE or at >= len(lines):
        return None
    start = _head(lines, at)
    if start is None:
        return None
    end = _end(lines, start, at)
    depth = _indentation(lines[start])
    text = "\n".join([*(["if 1:"] if depth else []), *lines[start:end]])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body: List[ast.stmt] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    if depth and len(body) == 1 and isinstance(body[0], ast.If) and not body[0].orelse:
        body = body[0].body
    if len(body) != 1 or not isinstance(body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None
    ast.increment_lineno(body[0], start - (1 if depth else 0))
    following = [] if end == len(lines) else [ast.Pass(lineno=end + 1, col_offset=0)]
    return ast.Module(body=[*body, *following], type_ignores=[])


def _head(lines: Sequence[str], at: int) -> Optional[int]:
    """Where the innermost function begins that a line is indented in."""
    depth = _indentation(lines[at])
    for index in range(at - 1, -1, -1):
        line = lines[index]
        words = line.lstrip()
        if words and len(line) - len(words) < depth and words.startswith(("def ", "async def ")):
            return index
    return None


def _end(lines: Sequence[str], start: int, at: int) -> int:
    """Where the first line is after this one that is indented no deeper than the function's head."""
    depth = _indentation(lines[start])
    for index in range(at + 1, len(lines)):
        words = lines[index].lstrip()
        outside = words and not words.startswith(("#", *_CLOSING)) and len(lines[index]) - len(words) <= depth
        if outside:
            return index
    return len(lines)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
