import pytest


@pytest.fixture(scope="session")
def target(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "out.csv"
    yield path
    path.unlink()
