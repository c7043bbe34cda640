from ledger import balance


def test_balance_of_a_month(entries):
    assert balance(entries) == 1290


def test_balance_of_nothing():
    assert balance([]) == 0
