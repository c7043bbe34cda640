import weather


def test_rome_is_warmer():
    assert weather.warmer("rome", "bern")
