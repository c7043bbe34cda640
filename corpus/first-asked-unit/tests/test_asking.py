import gauge


def test_celsius_can_be_asked_for():
    gauge.use("C")
    assert gauge.reading(3)[-1] in "CK"
