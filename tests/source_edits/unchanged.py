"""Says what an edited module has besides what it was to be given. Reads {"old", "new", "kind", "uses", "line"}, one a line.

`uses`: how many functions use the new fixture. `line`: the statement that was to be left out, or null.
"""

import ast
import json
import re
import sys

FIXTURE = re.compile(r"_(restore|own|set_up)_\w+")


def is_addition_of_import(node, modules):
    return isinstance(node, ast.Import) and len(node.names) == 1 and node.names[0].name in modules


def is_use(decorator):
    return isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(".mark.usefixtures")


def is_copy(node):
    return isinstance(node, ast.Assign) and re.fullmatch(r"(\w+) = \w+\.deepcopy\(\1\)", ast.unparse(node)) is not None


def without_scope(call):
    call.keywords = [keyword for keyword in call.keywords if keyword.arg != "scope"]
    return call if call.args or call.keywords else call.func


def stripped(tree, kind, found):
    """The module without all that an edit of a kind may add, which is counted."""
    tree.body = [
        node
        for node in tree.body
        if not (is_addition_of_import(node, ("pytest", "copy")) and found.update(imports=found["imports"] + 1) is None)
        and not (
            isinstance(node, ast.FunctionDef)
            and FIXTURE.fullmatch(node.name)
            and found["fixtures"].append(node) is None
        )
    ]
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            uses = [decorator for decorator in node.decorator_list if is_use(decorator)]
            found["uses"] += len(uses)
            node.decorator_list = [decorator for decorator in node.decorator_list if decorator not in uses]
            if kind == "scope":
                node.decorator_list = [
                    without_scope(decorator)
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("fixture")
                    else decorator
                    for decorator in node.decorator_list
                ]
            if kind == "copy":
                first = 1 if ast.get_docstring(node) is not None else 0
                if is_copy((node.body[first:] or [None])[0]):
                    found["copies"] += 1
                    del node.body[first]
    return ast.dump(tree)


def bound_elsewhere(tree, name):
    """Whether a name is bound by anything but an import of pytest."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.arg) and node.arg == name:
            return True
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == name:
            return True
    return False


def pytest_is_there(tree, fixture):
    decorator = fixture.decorator_list[0]
    name = ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator).split(".")[0]
    before = tree.body[: tree.body.index(fixture)]
    imports = [alias for node in before if isinstance(node, ast.Import) for alias in node.names]
    return any(
        alias.name == "pytest" and (alias.asname or "pytest") == name for alias in imports
    ) and not bound_elsewhere(tree, name)


def docstrings(tree):
    kinds = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [
        ast.get_docstring(node)
        for node in ast.walk(tree)
        if isinstance(node, kinds) and not FIXTURE.fullmatch(getattr(node, "name", ""))
    ]


def problem(asked):
    old, new = (asked[name].encode("latin-1") for name in ("old", "new"))
    try:
        compile(new, "new.py", "exec")
    except (SyntaxError, ValueError) as error:
        return f"it does not compile: {error}"
    before, after = ast.parse(old), ast.parse(new)
    kind = asked["kind"]
    if asked["line"] is not None:
        before.body = [node for node in before.body if node.lineno != asked["line"]]
    if docstrings(before) != docstrings(after):
        return "docstrings have changed"
    counts = [{"imports": 0, "fixtures": [], "uses": 0, "copies": 0} for _ in range(2)]
    whole = ast.parse(new)
    same = stripped(before, kind, counts[0]) == stripped(after, kind, counts[1])
    if not same:
        return "something else has changed"
    more = {name: counts[1][name] - counts[0][name] for name in ("imports", "uses", "copies")}
    fixtures = len(counts[1]["fixtures"]) - len(counts[0]["fixtures"])
    expected = (1 if kind == "fixture" else 0, asked["uses"], 1 if kind == "copy" else 0)
    if (fixtures, more["uses"], more["copies"]) != expected or not 0 <= more["imports"] <= 1:
        return f"{fixtures} fixtures and {more}"
    added = [node for node in whole.body if isinstance(node, ast.FunctionDef) and FIXTURE.fullmatch(node.name)]
    known = {node.name for node in counts[0]["fixtures"]}
    if any(node.name not in known and not pytest_is_there(whole, node) for node in added):
        return "pytest is not known where the fixture is defined"
    if kind == "fixture" and len([node for node in added if node.name not in known]) != 1:
        return "the fixture has a name that was taken"
    return None


for line in sys.stdin:
    print(json.dumps(problem(json.loads(line))), flush=True)
