import gauge
import pytest


@pytest.mark.parametrize("value", [0, 1, 20, 300, 4000])
def test_a_switched_gauge_reads_kelvin(value):
    gauge.switch("K")
    assert gauge.reading(value) == f"{value} K"


def test_a_reading_is_in_kelvin():
    assert gauge.reading(3) == "3 K"
