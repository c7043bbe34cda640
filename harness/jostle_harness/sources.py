"""Where a module's text can be edited, as its own interpreter reads it.

Run as a script, by the suite's Python and apart from the suite: nothing of that is imported. It reads one JSON object a
line from stdin and answers each with one on stdout. Bytes travel as text, one character a byte (latin-1).

`{"layout": SOURCE}` is answered by what `Layout` of src/explain/fix/layout.rs holds, or by `{"refused": WHY}`; all
positions are byte offsets. `{"compile": SOURCE, "name": FILE}` is answered by `{"error": null}`, or what is wrong.
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
import tokenize
import warnings
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple, TypedDict, Union

BOM = b"\xef\xbb\xbf"
COMPOUND_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
#: Classes that are no tests of :mod:`unittest`.
_PLAIN_BASES = ("object", "ABC", "Generic", "Protocol")
#: What pytest calls without fixtures, besides its hooks.
_CALLED_BY_PYTEST = frozenset(
    f"{when}_{what}" for when in ("setup", "teardown") for what in ("module", "function", "class", "method")
) | {"setup", "teardown", "setUpModule", "tearDownModule"}


#: A node that has a place in the text.
_Placed = Union[ast.stmt, ast.expr, ast.keyword, ast.arg]
_Function = Union[ast.FunctionDef, ast.AsyncFunctionDef]


class Body(TypedDict):
    """Where a statement can stand first in a function."""

    at: int
    indent: str
    open: bool


class Started(TypedDict):
    """A statement of a function that starts something: `name.start()`, or `name = …()`, which makes it."""

    line: int
    end: int
    indent: str
    name: str
    is_made: bool


class Cleanup(TypedDict):
    """What a function calls to have something done at its end, what it has to be given for that as an argument, and whether
    it is no test but sets several up."""

    call: str
    argument: Optional[Tuple[int, str]]
    is_setup: bool


class Function(TypedDict):
    """A function of a module or a class."""

    name: str
    line: int
    start: int
    indent: str
    body: Optional[Body]
    parameters: List[str]
    scope: Optional[Tuple[int, int]]
    cleanup: Optional[Cleanup]
    started: List[Started]


class Line(TypedDict):
    """A statement that is a line."""

    line: int
    start: int
    end: int
    text: str


class Layout(TypedDict):
    """Where a module can be edited."""

    newline: str
    utf8: bool
    top: int
    open: bool
    first: bool
    imports: bool
    blank: int
    last: bool
    modules: Dict[str, str]
    bindings: Dict[str, List[str]]
    words: List[str]
    functions: List[Function]
    statements: List[Line]


class Refusal(TypedDict):
    """Why a module is not edited."""

    refused: str


class Compiled(TypedDict):
    """What keeps a module from being compiled, if anything does."""

    error: Optional[str]


class Refused(Exception):
    """The module cannot be edited safely."""


class Text:
    """A module's text, and where its lines are in its bytes."""

    def __init__(self, data: bytes) -> None:
        if b"\r" in data.replace(b"\r\n", b""):
            raise Refused("has lines that end in a carriage return alone")
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            skipped = len(BOM) if data.startswith(BOM) else 0
            body = data[skipped:]
            self.encoding = "utf-8" if encoding == "utf-8-sig" else encoding
            text = body.decode(self.encoding)
            self.lines: List[str] = re.findall(r"[^\n]*\n|[^\n]+", text)
            encoded = [line.encode(self.encoding) for line in self.lines]
        except (SyntaxError, UnicodeError, LookupError) as error:
            raise Refused(f"cannot be decoded: {error}") from None
        if b"".join(encoded) != body:
            raise Refused(f"is not the same when it is written in {self.encoding} again")
        self.starts = [skipped]
        for line in encoded:
            self.starts.append(self.starts[-1] + len(line))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.tree = ast.parse(text)
                compile(data, "<module>", "exec", dont_inherit=True)
                self.logical = list(_logical_lines(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError) as error:
            raise Refused(f"does not compile: {error}") from None
        self.of_row = {row: line for line in self.logical for row in range(line[0], line[1] + 1)}

    def start(self, row: int) -> int:
        """The offset of a line, counted from 1; of the end after the last."""
        return self.starts[min(row - 1, len(self.lines))]

    def offset(self, row: int, column: int) -> int:
        """The offset of a position as `ast` gives it: the column counts the bytes of UTF-8."""
        before = self.lines[row - 1].encode("utf-8")[:column].decode("utf-8")
        return self.start(row) + len(before.encode(self.encoding))

    def first_row(self, row: int) -> int:
        """The first line of the logical line that a line is part of."""
        return self.of_row[row][0]

    def last_row(self, row: int) -> int:
        """Its last one."""
        return self.of_row[row][1]

    def is_blank(self, row: int) -> bool:
        return 1 <= row <= len(self.lines) and not self.lines[row - 1].strip()

    def indent(self, row: int) -> str:
        line = self.lines[row - 1]
        return line[: len(line) - len(line.lstrip())].replace("\x0c", "")


def _logical_lines(text: str) -> Iterator[Tuple[int, int]]:
    start = None
    ignored = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE and start is not None:
            yield start, token.start[0]
            start = None
        elif start is None and token.type not in ignored:
            start = token.start[0]


def layout(data: bytes) -> Layout:
    """Where a module can be edited.

    Raises :class:`Refused` where that cannot be told.
    """
    text = Text(data)
    top, imports, run = _top(text)
    bindings = _bindings(text.tree)
    return {
        "newline": "\r\n" if text.lines[:1] and text.lines[0].endswith("\r\n") else "\n",
        "utf8": text.encoding == "utf-8",
        "top": text.start(top),
        "open": top > 1 and not text.lines[top - 2].endswith("\n"),
        "first": top == 1,
        "imports": imports,
        "blank": _blank_from(text, top),
        "last": top > len(text.lines),
        "modules": _modules(run, bindings),
        "bindings": bindings,
        "words": sorted(_words(text.tree)),
        "functions": list(_functions(text, text.tree.body, "", False, _classes(text.tree))),
        "statements": list(_statements(text)),
    }


def _blank_from(text: Text, row: int) -> int:
    end = row
    while text.is_blank(end):
        end += 1
    return end - row


def _top(text: Text) -> Tuple[int, bool, List[ast.stmt]]:
    """The line before which imports and a fixture can stand, whether it follows imports, and these."""
    body = text.tree.body
    end, at, imports = 0, 0, False
    if body and _is_docstring(body[0]):
        end, at = _last(text, body[0]), 1
    while at < len(body) and (_is_import(body[at]) or _first(text, body[at]) <= end):
        imports = imports or _is_import(body[at])
        end = max(end, _last(text, body[at]))
        at += 1
    return (end + 1 if end else _after_head(text)), imports, body[:at]


def _after_head(text: Text) -> int:
    """The line after a module's first comments, which say how it is read and whose it is."""
    head = 0
    while head < len(text.lines) and text.lines[head].lstrip("\x0c").startswith("#"):
        head += 1
    if head == len(text.lines) or text.is_blank(head + 1):
        return head + 1
    # Comments of what follows, but for those that have to stand in the first two lines.
    special = [row for row in (1, 2) if row <= head and re.match(r"#!|[ \t\f]*#.*?coding[:=]", text.lines[row - 1])]
    return max(special, default=0) + 1


def _first(text: Text, node: ast.stmt) -> int:
    decorators: Sequence[ast.expr] = getattr(node, "decorator_list", [])
    return text.first_row(min([node.lineno, *(decorator.lineno for decorator in decorators)]))


def _last(text: Text, node: ast.stmt) -> int:
    return text.last_row(node.end_lineno or node.lineno)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_import(node: ast.AST) -> bool:
    """Whether a statement does no more than to import."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if not isinstance(node, (ast.If, ast.Try)):
        return False
    inner = [child for child in _inner(node) if not isinstance(child, ast.Pass)]
    simple = [child for child in inner if isinstance(child, ast.Assign) and isinstance(child.value, ast.Constant)]
    others = [child for child in inner if child not in simple]
    return bool(others) and all(_is_import(child) for child in others)


def _inner(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a compound statement's bodies."""
    for name in COMPOUND_BODIES:
        for child in getattr(node, name, []):
            if isinstance(child, ast.stmt):
                yield child
            else:
                yield from _inner(child)


def _bindings(tree: ast.Module) -> Dict[str, List[str]]:
    """What each name is bound to, anywhere in the module: the module that is imported, or "" for all else."""
    found: Dict[str, Set[str]] = {}

    def bind(name: Optional[str], target: str = "") -> None:
        if name is not None:
            found.setdefault(name, set()).add(target)

    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bind(alias.asname or alias.name.split(".")[0], alias.name if alias.asname else alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bind(alias.asname or alias.name)
        elif isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load):
                bind(node.id)
        elif isinstance(node, ast.arg):
            bind(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bind(node.name)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            for name in node.names:
                bind(name)
        elif not isinstance(node, ast.alias):
            # `except … as`, the patterns of `match`, type parameters and aliases.
            for field in ("name", "rest"):
                value = getattr(node, field, None)
                bind(value if isinstance(value, str) else None)
    return {name: sorted(targets) for name, targets in sorted(found.items())}


def _modules(run: List[ast.stmt], bindings: Dict[str, List[str]]) -> Dict[str, str]:
    """The modules that are imported at the top whatever happens, and how they are named from there on."""
    found = {}
    for node in run:
        for alias in node.names if isinstance(node, ast.Import) else []:
            name = alias.asname or alias.name.split(".")[0]
            if bindings[name] == [alias.name if alias.asname else name]:
                found[alias.name] = alias.asname or alias.name
    return found


def _words(tree: ast.Module) -> Set[str]:
    """All names that the module binds or looks up, and texts that may be names of fixtures."""
    words = set()
    for node in ast.walk(tree):
        for field in ("id", "arg", "name", "attr", "asname", "value"):
            value = getattr(node, field, None)
            if isinstance(value, str) and value.isidentifier():
                words.add(value)
    return words


#: The classes of a module by their own names.
_Classes = Dict[str, List[ast.ClassDef]]


def _classes(tree: ast.Module) -> _Classes:
    found: _Classes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found.setdefault(node.name, []).append(node)
    return found


def _functions(
    text: Text, body: Iterable[ast.stmt], prefix: str, is_unittest: Optional[bool], classes: _Classes
) -> Iterator[Function]:
    """The functions of the module and of its classes, which are of :mod:`unittest` or not."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(text, node.body, f"{prefix}{node.name}::", _is_unittest(node, classes, []), classes)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield _function(text, node, prefix, is_unittest)
        else:
            yield from _functions(text, _inner(node), prefix, is_unittest, classes)


def _is_unittest(node: ast.ClassDef, classes: _Classes, seen: List[ast.ClassDef]) -> Optional[bool]:
    """Whether a class is one of :mod:`unittest`; nothing if another module has to tell."""
    found = [_is_of_unittest(base, classes, [*seen, node]) for base in node.bases]
    return True if True in found else None if None in found else False


def _is_of_unittest(base: ast.expr, classes: _Classes, seen: List[ast.ClassDef]) -> Optional[bool]:
    while isinstance(base, ast.Subscript):
        base = base.value
    outermost, _, inner = (_dotted(base) or "").partition(".")
    name = inner.rpartition(".")[2] or outermost
    own = [node for node in classes.get(name, []) if outermost in classes and node not in seen]
    if own:
        found = [_is_unittest(node, classes, seen) for node in own]
        return True if True in found else None if None in found else False
    return True if name.endswith("TestCase") else False if name in _PLAIN_BASES else None


def _function(text: Text, node: _Function, prefix: str, is_unittest: Optional[bool]) -> Function:
    row = _first(text, node)
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return {
        "name": prefix + node.name,
        "line": min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]),
        "start": text.start(row),
        "indent": text.indent(row),
        "body": _body(text, node),
        "parameters": [argument.arg for argument in named],
        "scope": _scope(text, node),
        "cleanup": _cleanup(text, node, is_unittest),
        "started": list(_started(text, node)),
    }


def _cleanup(text: Text, node: _Function, is_unittest: Optional[bool]) -> Optional[Cleanup]:
    """How a function has something done at its end, if that is known."""
    is_fixture = "fixture" in _decorators(node)
    rebound = _bindings(ast.Module(node.body, []))
    if is_unittest and not is_fixture:
        return _cleanup_of_unittest(node, rebound)
    if not is_fixture and (node.name.startswith("pytest_") or node.name in _CALLED_BY_PYTEST):
        return None
    return _cleanup_by_request(text, node, rebound, is_fixture or is_unittest is not None)


def _cleanup_of_unittest(node: _Function, rebound: Iterable[str]) -> Optional[Cleanup]:
    decorators = _decorators(node)
    own = node.args.args[0].arg if node.args.args and "staticmethod" not in decorators else None
    if own is None or own in rebound:
        return None
    method = "addClassCleanup" if node.name == "setUpClass" or "classmethod" in decorators else "addCleanup"
    is_setup = node.name in ("setUp", "asyncSetUp", "setUpClass")
    return {"call": f"{own}.{method}", "argument": None, "is_setup": is_setup}


def _cleanup_by_request(text: Text, node: _Function, rebound: Iterable[str], may_be_given: bool) -> Optional[Cleanup]:
    """By pytest's fixture `request`, where the function has that or can be given it by its name."""
    arguments = node.args
    cleanup: Cleanup = {"call": "request.addfinalizer", "argument": None, "is_setup": "fixture" in _decorators(node)}
    if "request" in rebound:
        return None
    if any(argument.arg == "request" for argument in arguments.args):
        return cleanup
    others = (arguments.posonlyargs, arguments.vararg, arguments.kwonlyargs, arguments.kwarg, arguments.defaults)
    is_another = any(isinstance(child, ast.Name) and child.id == "request" for child in ast.walk(node))
    if any(others) or is_another or not may_be_given:
        return None
    if arguments.args:
        return {**cleanup, "argument": (_end(text, arguments.args[-1]), ", request")}
    line = text.lines[node.lineno - 1]
    empty = re.compile(rf"(?:async\s+)?def\s+{node.name}\s*\(").match(line.lstrip())
    if empty is None:
        return None
    column = len(line[: len(line) - len(line.lstrip()) + empty.end()].encode("utf-8"))
    return {**cleanup, "argument": (text.offset(node.lineno, column), "request")}


def _decorators(node: _Function) -> Set[str]:
    """The names of what a function is decorated with, without the modules."""
    made_by = (getattr(decorator, "func", decorator) for decorator in node.decorator_list)
    return {getattr(function, "attr", getattr(function, "id", "")) for function in made_by}


def _started(text: Text, node: _Function) -> Iterator[Started]:
    """The statements that start something, each alone on its lines."""
    for child in _own_statements(node.body):
        name = _name_of_started(child)
        rows = text.of_row.get(child.lineno)
        if name is None or rows != (child.lineno, child.end_lineno) or not _has_its_lines_to_itself(text, child):
            continue
        indent, end = text.indent(rows[0]), text.start(rows[1] + 1)
        yield {"line": rows[0], "end": end, "indent": indent, "name": name, "is_made": not _starts(child)}


def _has_its_lines_to_itself(text: Text, node: ast.stmt) -> bool:
    """Whether nothing but a comment stands beside a statement, and another line can follow it."""
    first, last = text.lines[node.lineno - 1], text.lines[(node.end_lineno or node.lineno) - 1]
    before = first.encode("utf-8")[: node.col_offset].strip()
    after = last.encode("utf-8")[node.end_col_offset :].strip()
    return not before and after[:1] in (b"", b"#") and last.endswith("\n")


def _own_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function, without those of functions and classes in it."""
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node
            yield from _own_statements(_inner(node))


def _name_of_started(node: ast.stmt) -> Optional[str]:
    """What is started or made by a statement, as it is named from there on."""
    function = _called(node)
    if isinstance(function, ast.Attribute) and _starts(node):
        return _dotted(function.value)
    if function is not None and isinstance(node, ast.Assign) and len(node.targets) == 1:
        return _dotted(node.targets[0])
    return None


def _called(node: ast.stmt) -> Optional[ast.expr]:
    """The function that a statement calls, if it does not do more than to keep what that returns."""
    call = node.value if isinstance(node, (ast.Assign, ast.Expr)) else None
    return call.func if isinstance(call, ast.Call) else None


def _starts(node: ast.stmt) -> bool:
    """Whether a statement is `name.start()`, or keeps what that returns."""
    function = _called(node)
    return isinstance(function, ast.Attribute) and function.attr == "start"


def _dotted(node: ast.expr) -> Optional[str]:
    """A name, or an attribute of one."""
    if isinstance(node, ast.Name):
        return node.id
    holder = _dotted(node.value) if isinstance(node, ast.Attribute) else None
    return f"{holder}.{node.attr}" if holder is not None and isinstance(node, ast.Attribute) else None


def _body(text: Text, node: _Function) -> Optional[Body]:
    """Where a statement can stand first in a function; nowhere if its body stands on the line of its `def`."""
    statements = node.body
    docstring = statements[0] if _is_docstring(statements[0]) else None
    if docstring is not None:
        statements = statements[1:]
    row = _first(text, (statements or node.body)[0])
    header = text.last_row(node.lineno)
    end = header if docstring is None else _last(text, docstring)
    if row <= header or statements and row <= end:
        return None
    if statements:
        return {"at": text.start(row), "indent": text.indent(row), "open": False}
    return {"at": text.start(end + 1), "indent": text.indent(row), "open": not text.lines[end - 1].endswith("\n")}


def _scope(text: Text, node: _Function) -> Optional[Tuple[int, int]]:
    """What is to be left out of a fixture's decorator to make its scope that of a function."""
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        name = getattr(decorator.func, "attr", getattr(decorator.func, "id", ""))
        if name not in ("fixture", "yield_fixture") or any(keyword.arg is None for keyword in decorator.keywords):
            continue
        given: List[Union[ast.expr, ast.keyword]] = sorted(
            [*decorator.args, *decorator.keywords], key=lambda part: (part.lineno, part.col_offset)
        )
        for at, part in enumerate(given):
            if not (isinstance(part, ast.keyword) and part.arg == "scope" and isinstance(part.value, ast.Constant)):
                continue
            if len(given) == 1:
                return _end(text, decorator.func), _end(text, decorator)
            if at + 1 < len(given):
                return _start(text, part), _start(text, given[at + 1])
            return _end(text, given[at - 1]), _end(text, part)
    return None


def _start(text: Text, node: _Placed) -> int:
    return text.offset(node.lineno, node.col_offset)


def _end(text: Text, node: _Placed) -> int:
    assert node.end_lineno is not None and node.end_col_offset is not None  # what was parsed has both
    return text.offset(node.end_lineno, node.end_col_offset)


def _statements(text: Text) -> Iterator[Line]:
    """The module's own statements that stand alone on one line and bind no name of it."""
    body = text.tree.body
    for at, node in enumerate(body):
        row = node.lineno
        alone = text.of_row[row] == (row, row) and node.end_lineno == row
        alone = alone and all(other is node or _first(text, other) != row for other in body[max(at - 1, 0) : at + 2])
        if not alone or at == 0 and _is_docstring(node) or not _leaves_names(node):
            continue
        end = row + 1
        if text.is_blank(row - 1):
            # Of the blank lines on both sides one pair is enough.
            end += _blank_from(text, end)
        source = text.lines[row - 1].encode("utf-8")[node.col_offset : node.end_col_offset].decode("utf-8")
        yield {"line": row, "start": text.start(row), "end": text.start(end), "text": source}


def _leaves_names(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        targets = []
    elif isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign):
        targets = [node.target]
    else:
        return False
    inner = ast.walk(node)
    return all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in targets) and not any(
        isinstance(child, (ast.NamedExpr, ast.Yield, ast.YieldFrom, ast.Await)) for child in inner
    )


def problem(data: bytes, name: str) -> Optional[str]:
    """What keeps a module from being compiled."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(data, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None


def answer(asked: Dict[str, str]) -> Union[Layout, Refusal, Compiled]:
    """The answer to one line of jostle's."""
    if "compile" in asked:
        return {"error": problem(asked["compile"].encode("latin-1"), asked["name"])}
    try:
        return layout(asked["layout"].encode("latin-1"))
    except Refused as refused:
        return {"refused": str(refused)}


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
