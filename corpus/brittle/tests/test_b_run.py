import pytest

import plugins_app


def test_upper():
    assert plugins_app.run("upper", "abc") == "ABC"


def test_unknown_plugin():
    with pytest.raises(KeyError):
        plugins_app.run("nonsense", 1)
