STATE = []


def test_victim():
    assert not STATE


def test_polluter():
    STATE.append(1)
