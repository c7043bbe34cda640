import sys

import pytest


@pytest.fixture(autouse=True)
def numpy_is_back():
    numpy = sys.modules.get("numpy")
    yield
    if sys.modules.get("numpy", numpy) is None:
        del sys.modules["numpy"]
        if numpy is not None:
            sys.modules["numpy"] = numpy
