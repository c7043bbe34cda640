import licences


def test_render():
    assert licences.use(0.2) == 0
