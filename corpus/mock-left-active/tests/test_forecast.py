from unittest import mock

import weather


def test_equal_cities_are_not_warmer():
    patcher = mock.patch("weather.fetch", return_value=3)
    patcher.start()
    assert not weather.warmer("bern", "rome")


def test_a_city_is_not_warmer_than_itself():
    assert not weather.warmer("rome", "rome")
