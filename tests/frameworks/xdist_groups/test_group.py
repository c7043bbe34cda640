import pytest

STATE = []


@pytest.mark.xdist_group("db")
def test_reads():
    assert not STATE


@pytest.mark.xdist_group("db")
def test_writes():
    STATE.append(1)


@pytest.mark.parametrize("n", range(4))
def test_free(n):
    assert n >= 0
