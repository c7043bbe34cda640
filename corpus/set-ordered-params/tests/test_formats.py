import pytest

from formats import FORMATS, extension, known


@pytest.mark.parametrize("name", FORMATS)
def test_extension(name):
    assert extension(name) == "." + name


@pytest.mark.parametrize("name", FORMATS)
def test_is_known(name):
    assert known(name)


def test_doc_is_unknown():
    assert not known("doc")
