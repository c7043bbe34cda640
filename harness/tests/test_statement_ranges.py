"""Statements are found as pytest finds them, without their whole files."""

from __future__ import annotations

import argparse
import ast
import asyncio.base_events
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, List, Tuple

import _pytest._code.code
import _pytest.python
import pytest
from _pytest._code import Source
from jostle_harness import statement_ranges

MODULES = [argparse, asyncio.base_events, ast, _pytest.python, _pytest._code.code]
#: Every so many lines are tried: pytest's own way takes long.
STEP = 5


def quickened() -> Callable[..., Any]:
    """The quick way to find statements."""
    module = ModuleType("tracebacks")
    vars(module).update(getstatementrange_ast=_pytest._code.source.getstatementrange_ast)
    statement_ranges.quicken(module)
    found: Callable[..., Any] = vars(module)["getstatementrange_ast"]
    return found


def lines_of_functions(tree: ast.Module) -> List[int]:
    """The lines that a traceback may name."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    inner = (node for function in functions for part in function.body for node in ast.walk(part))
    return sorted({node.lineno - 1 for node in inner if isinstance(node, (ast.stmt, ast.Call))})[::STEP]


def of_module(module: ModuleType) -> Tuple[Source, ast.Module]:
    """What a module's file holds."""
    text = Path(str(module.__file__)).read_text("utf-8")
    return Source(text), ast.parse(text)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_statements_end_where_the_whole_file_says(module: ModuleType) -> None:
    quick, (source, tree) = quickened(), of_module(module)
    lines = lines_of_functions(tree)
    whole = _pytest._code.source.getstatementrange_ast
    found = [(line, quick(line, source)) for line in lines]
    others = [line for line, one in found if one[1:] != whole(line, source, astnode=tree)[1:]]
    assert (others, len(lines) > 50) == ([], True)
    by_function = [line for line, one in found if one[0] is None]
    assert len(by_function) > 0.9 * len(lines)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("x = 1\n" * 500, 7),
        ("def a():\n    return 1\n", 1),
        ("def a():\n    return '''\nnot the end'''\n" + "x = 1\n" * 500, 1),
    ],
    ids=["no function", "a short file", "a text that seems to end it"],
)
def test_the_whole_file_is_parsed_where_its_function_is_not_sure(text: str, at: int) -> None:
    assert statement_ranges.function_around(text.splitlines(), at) is None


def test_another_pytest_is_left_as_it_is() -> None:
    module = ModuleType("tracebacks")
    before = dict(vars(module))
    statement_ranges.quicken(module)
    assert vars(module) == before
