import billing


def test_tax_of_an_invoice():
    assert billing.tax(50) == 10


def test_sum_of_an_invoice():
    assert billing.gross(50) == 60


def test_label_of_an_invoice():
    assert billing.label(50) == "60 EUR"


def test_an_empty_invoice():
    assert billing.gross(0) == 0
