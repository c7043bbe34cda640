import console


def test_indent_is_remembered():
    console.indent(4)
    assert console._STATE["indent"] == 4


def test_indent_moves_a_line():
    console.indent(2)
    assert console.line("x") == "  x"
