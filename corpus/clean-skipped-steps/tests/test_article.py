import pytest
from shop import shelf


def test_put():
    shelf.main.put(7, "cup")
    assert shelf.main.name(7) == "cup"


@pytest.mark.needs("test_put")
def test_rename():
    shelf.main.put(7, "mug")
    assert shelf.main.name(7) == "mug"


@pytest.mark.needs("test_rename")
def test_take():
    assert shelf.main.take(7) == "mug"
