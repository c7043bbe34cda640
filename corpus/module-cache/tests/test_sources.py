from rates import TABLE, rate


def test_another_source_of_rates():
    assert rate("CHF", {"CHF": 0.95}) == 0.95


def test_crash_day_scenario():
    crashed = dict(TABLE, USD=2.0)
    from rates import _CACHE

    _CACHE.pop("USD", None)
    assert rate("USD", crashed) == 2.0


def test_unknown_currency_has_no_rate():
    assert "XXX" not in TABLE
