import native


def test_strict_mode_takes_fields():
    native.strict(True)
    assert native.parse("x,y") == ["x", "y"]


def test_strict_mode_can_be_left():
    native.strict(False)
    assert native.parse("x") == ["x"]
