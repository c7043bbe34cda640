import billing


def test_books_are_taxed_less():
    billing.set_rate(10)
    assert billing.tax(200) == 20


def test_exports_are_not_taxed():
    billing.set_rate(0)
    assert billing.tax(200) == 0


def test_rates_are_whole_numbers():
    assert isinstance(billing.tax(7), int)
