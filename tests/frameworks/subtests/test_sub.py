LEVELS = {}


def test_levels(subtests):
    for name in ("a", "b"):
        with subtests.test(name=name):
            assert name not in LEVELS


def test_sets():
    LEVELS["b"] = 1


def test_plain():
    pass
