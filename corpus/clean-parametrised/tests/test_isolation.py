import tempfile
from pathlib import Path

import pytest

from stores import Store


@pytest.fixture
def store(worker_id, request):
    name = f"{worker_id}-{request.node.callspec.indices['number']}"
    store = Store(Path(tempfile.gettempdir()), name)
    assert not store.path.exists()
    yield store
    store.path.unlink()


@pytest.mark.parametrize("number", range(100))
def test_a_store_holds_what_its_own_test_wrote(store, number):
    store.write(number)
    assert store.read() == number
