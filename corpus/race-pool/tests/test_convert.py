import licences


def test_convert():
    assert licences.use(0.2) == 0
