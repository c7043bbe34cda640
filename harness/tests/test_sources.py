"""Where a module's text can be edited."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import List, Optional, Tuple

import pytest
from jostle_harness import sources
from jostle_harness.sources import Layout, layout, problem


def of(source: str) -> Layout:
    return layout(source.encode())


TOPS: List[Tuple[str, str, bool]] = [
    ("", "", False),
    ("x = 1\n", "", False),
    ('"""Doc."""\nx = 1\n', '"""Doc."""\n', False),
    ('"""Doc."""\n\nimport os\nx = 1\n', '"""Doc."""\n\nimport os\n', True),
    ("import os; x = 1\ny = 2\n", "import os; x = 1\n", True),
    ("import os\nx = 1\nimport sys\n", "import os\n", True),
    ("from os import (\n    path,\n)\nx = 1\n", "from os import (\n    path,\n)\n", True),
    (
        "try:\n    import a\nexcept ImportError:\n    a = None\nx = 1\n",
        "try:\n    import a\nexcept ImportError:\n    a = None\n",
        True,
    ),
    ("if x:\n    y()\n", "", False),
    ("#!/usr/bin/python\n# Copyright.\n\nx = 1\n", "#!/usr/bin/python\n# Copyright.\n", False),
    ("#!/usr/bin/python\n# About x.\nx = 1\n", "#!/usr/bin/python\n", False),
    ("# coding: utf-8\nx = 1\n", "# coding: utf-8\n", False),
]


@pytest.mark.parametrize(("source", "before", "imports"), TOPS)
def test_imports_can_be_added_after_those_that_are_there(source: str, before: str, imports: bool) -> None:
    found = of(source)
    assert (source[: found["top"]], found["imports"], found["first"]) == (before, imports, not before)


BODIES: List[Tuple[str, str]] = [
    ("def f():\n    return 1\n", "    return 1\n"),
    ("def f(): return 1\n", "nowhere"),
    ('def f():\n    """Doc."""\n    return 1\n', "    return 1\n"),
    ('def f():\n    """Doc."""\n', ""),
    ("@a\n@b(\n    1\n)\ndef f(\n    x,\n):\n    y\n", "    y\n"),
    ("async def f():\n\ty\n", "\ty\n"),
]


@pytest.mark.parametrize(("source", "rest"), BODIES)
def test_a_statement_can_stand_first_in_a_function(source: str, rest: str) -> None:
    [function] = of(source)["functions"]
    body = function["body"]
    assert ("nowhere" if body is None else source[body["at"] :]) == rest
    assert body is None or (source[: body["at"]] + body["indent"] + "pass\n" + rest).startswith(source[: body["at"]])
    assert source[function["start"] :] == source


SCOPES: List[Tuple[str, str]] = [
    ("@fixture(scope='module')", "@fixture"),
    ("@pytest.fixture(scope='module', autouse=True)", "@pytest.fixture(autouse=True)"),
    ("@fixture(autouse=True, scope='module')", "@fixture(autouse=True)"),
    ("@fixture(name='ä', scope='module')", "@fixture(name='ä')"),
    ("@fixture(autouse=True)", "@fixture(autouse=True)"),
    ("@fixture(scope=WIDE)", "@fixture(scope=WIDE)"),
    ("@fixture(**options, scope='module')", "@fixture(**options, scope='module')"),
    ("@other(scope='module')", "@other(scope='module')"),
    ("@fixture", "@fixture"),
]


@pytest.mark.parametrize(("decorator", "narrowed"), SCOPES)
def test_a_fixture_can_be_given_the_scope_of_a_function(decorator: str, narrowed: str) -> None:
    source = f"# ä\n{decorator}\ndef f():\n    pass\n"
    data = source.encode()
    scope = layout(data)["functions"][0]["scope"]
    edited = data if scope is None else data[: scope[0]] + data[scope[1] :]
    assert edited.decode() == source.replace(decorator, narrowed)


CLEANUPS: List[Tuple[str, str]] = [
    ("def f():\n    p.start()\n", "def f(request):\n    p.start()\n    request.addfinalizer(p.end)\n"),
    (
        "async def f(ä, b: int):\n    q = p.start()\n    r\n",
        "async def f(ä, b: int, request):\n    q = p.start()\n    request.addfinalizer(p.end)\n    r\n",
    ),
    (
        "def f(request):\n    if x:\n        a.b.start(\n        )\n",
        "def f(request):\n    if x:\n        a.b.start(\n        )\n        request.addfinalizer(a.b.end)\n",
    ),
    ("def f():\n    g = open(x)\n", "def f(request):\n    g = open(x)\n    request.addfinalizer(g.end)\n"),
    (
        "class A(unittest.TestCase):\n    def f(self):\n        p.start()\n",
        "class A(unittest.TestCase):\n    def f(self):\n        p.start()\n        self.addCleanup(p.end)\n",
    ),
    (
        "class A(TestCase):\n    @classmethod\n    def setUpClass(cls):\n        p.start()\n",
        "class A(TestCase):\n    @classmethod\n    def setUpClass(cls):\n        p.start()\n        cls.addClassCleanup(p.end)\n",
    ),
    (
        "class A:\n    @mark\n    def f(self):\n        p.start()\n",
        "class A:\n    @mark\n    def f(self, request):\n        p.start()\n        request.addfinalizer(p.end)\n",
    ),
]


@pytest.mark.parametrize(("source", "ended"), CLEANUPS)
def test_what_a_function_starts_can_be_ended_when_it_is_over(source: str, ended: str) -> None:
    [function] = of(source)["functions"]
    [started], cleanup = function["started"], function["cleanup"]
    assert cleanup is not None
    added = f"{started['indent']}{cleanup['call']}({started['name']}.end)\n".encode()
    data = source.encode()
    data = data[: started["end"]] + added + data[started["end"] :]
    if cleanup["argument"] is not None:
        at, argument = cleanup["argument"]
        data = data[:at] + argument.encode() + data[at:]
    assert data.decode() == ended
    assert started["is_made"] == ("open" in source)


def test_what_sets_tests_up_is_told_from_tests() -> None:
    source = "@pytest.fixture\ndef a(): pass\n@fixture(autouse=True)\ndef b(): pass\n@mark.fixtures\ndef c(): pass\n"
    source += "class A(TestCase):\n    def setUp(self): pass\n    def test(self): pass\n"
    cleanups = [function["cleanup"] for function in of(source)["functions"]]
    assert [cleanup and cleanup["is_setup"] for cleanup in cleanups] == [True, True, False, True, False]


def test_what_has_no_name_or_is_not_alone_is_not_ended() -> None:
    sources = ["make().start()", "p.start(); q", "if x: p.start()", "x, y = f()", "def g():\n        p.start()"]
    for source in sources:
        [function] = of(f"def f():\n    {source}\n")["functions"]
        assert function["started"] == [], source


def test_who_cannot_be_given_pytest_s_request_has_no_cleanup() -> None:
    sources = ["(a=1)", "(*a)", "(**a)", "(*, a)", "(a, /)", "():\n    request = 1\ndef g()"]
    for source in sources:
        assert of(f"def f{source}:\n    pass\n")["functions"][0]["cleanup"] is None, source


OF_UNITTEST: List[str] = [
    "class T(unittest.TestCase):",
    "class T(Base):",
    "class T(Base[int]):",
    "class T(Outer.Inner):",
    "class T(Generic[int], Base):",
]
BASES = """
class Base(unittest.TestCase): pass
class Outer:
    class Inner(Base): pass
class PlainTestCase: pass
class Circle(Circle): pass
"""


@pytest.mark.parametrize("head", OF_UNITTEST)
def test_a_class_is_of_unittest_by_whatever_base(head: str) -> None:
    *_, function = of(f"{BASES}{head}\n    def test(self): pass\n")["functions"]
    assert function["cleanup"] == {"call": "self.addCleanup", "argument": None, "is_setup": False}


@pytest.mark.parametrize("bases", ["", "(object)", "(PlainTestCase)", "(Generic[int])"])
def test_tests_of_a_plain_class_can_be_given_fixtures(bases: str) -> None:
    *_, function = of(f"{BASES}class T{bases}:\n    def test(self): pass\n")["functions"]
    assert function["cleanup"] is not None and function["cleanup"]["call"] == "request.addfinalizer"


@pytest.mark.parametrize("base", ["Imported", "elsewhere.Base", "make()", "Circle"])
def test_who_may_be_of_unittest_is_given_nothing(base: str) -> None:
    source = f"{BASES}class T({base}):\n    def one(self): pass\n    def two(self, request): pass\n"
    *_, one, two = of(source)["functions"]
    assert one["cleanup"] is None
    assert two["cleanup"] is not None and two["cleanup"]["argument"] is None


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("@pytest.fixture(autouse=True)\n    def a(self): pass", "request.addfinalizer"),
        ("@classmethod\n    def a(cls): pass", "cls.addClassCleanup"),
        ("@staticmethod\n    def a(x): pass", None),
        ("def a(self): self = 1", None),
    ],
)
def test_methods_of_unittest_have_what_they_are_called_with(method: str, call: Optional[str]) -> None:
    [function] = of(f"class T(TestCase):\n    {method}\n")["functions"]
    assert (function["cleanup"] and function["cleanup"]["call"]) == call


REBOUND: List[str] = [
    "import request",
    "import request.a",
    "from a import b as request",
    "def request(): pass",
    "class request: pass",
    "try: pass\n    except E as request: pass",
    "request = 1",
    "def g():\n        global request",
]


@pytest.mark.parametrize("parameter", ["", "request"])
@pytest.mark.parametrize("statement", REBOUND)
def test_a_name_that_is_bound_anew_is_not_pytest_s_request(statement: str, parameter: str) -> None:
    function = of(f"def f({parameter}):\n    {statement}\n    p.start()\n")["functions"][0]
    assert function["cleanup"] is None


@pytest.mark.parametrize("name", ["setup_method", "setup_class", "setup_module", "setUpModule", "pytest_runtest_setup"])
def test_what_pytest_calls_without_fixtures_is_given_none(name: str) -> None:
    [function] = of(f"def {name}(a): pass\n")["functions"]
    assert function["cleanup"] is None


def test_functions_are_named_as_in_node_ids() -> None:
    source = "class A:\n    class B:\n        def f(self, a, *, b): pass\nif x:\n    def g(): pass\ndef h():\n    def i(): pass\n"
    found = [(function["name"], function["parameters"]) for function in of(source)["functions"]]
    assert found == [("A::B::f", ["self", "a", "b"]), ("g", []), ("h", [])]


def test_statements_that_bind_no_name_stand_alone() -> None:
    source = "import os\nos.environ['A'] = 'b'\nx = 1\nf(); g()\nf(\n)\nregister()\n(y := 1)\na.b += 1\n"
    assert [line["text"] for line in of(source)["statements"]] == ["os.environ['A'] = 'b'", "register()", "a.b += 1"]


def test_names_and_modules_are_what_they_are_bound_to() -> None:
    source = "import os, json as j\nimport xml.dom\nfrom a import b as c\ndef f(x):\n    global y\ntry: pass\nexcept E as e: pass\n"
    found = of(source)
    assert found["modules"] == {"os": "os", "json": "j", "xml.dom": "xml.dom"}
    assert {name: found["bindings"][name] for name in "jcfxye"} == {"j": ["json"], **{name: [""] for name in "cfxye"}}
    assert set(found["bindings"]) == {"os", "xml", *"jcfxye"}


def test_a_name_that_is_bound_twice_is_no_module() -> None:
    assert of("import os\nos = 1\n")["modules"] == {}


REFUSED: List[Tuple[bytes, str]] = [
    (b"x = 1\ry = 2\n", "has lines that end in a carriage return alone"),
    (b"x =\n", "does not compile"),
    (b"return 1\n", "does not compile"),
    (b"\xff\n", "cannot be decoded"),
    (b"# coding: nonsense\n", "cannot be decoded"),
]


@pytest.mark.parametrize(("data", "why"), REFUSED)
def test_what_cannot_be_edited_safely_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(sources.Refused, match=why):
        layout(data)


def test_offsets_count_the_bytes_of_the_files_own_encoding() -> None:
    data = "# coding: latin-1\nä = 1\nimport os\n\ndef f():\n    return 'ä'\n".encode("latin-1")
    found = layout(data)
    body = found["functions"][0]["body"]
    assert not found["utf8"] and body is not None
    assert data[body["at"] :] == "    return 'ä'\n".encode("latin-1")


def test_windows_lines_and_a_byte_order_mark_stay() -> None:
    data = b"\xef\xbb\xbfimport os\r\nx = 1\r\n"
    found = layout(data)
    assert (found["newline"], data[: found["top"]]) == ("\r\n", b"\xef\xbb\xbfimport os\r\n")


def test_what_keeps_a_module_from_compiling_is_told() -> None:
    assert problem(b"x = 1\n", "a.py") is None
    assert "a.py" in str(problem(b"x =\n", "a.py"))


def test_as_a_script_it_answers_each_line() -> None:
    asked = [
        {"layout": "x = 1\n"},
        {"layout": "x ="},
        {"compile": "x =", "name": "a.py"},
        {"compile": "x", "name": "a"},
    ]
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    command = [sys.executable, str(sources.__file__)]
    ran = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    one, two, three, four = map(json.loads, ran.stdout.splitlines())
    assert one["last"] is False and "refused" in two and "a.py" in three["error"] and four == {"error": None}
