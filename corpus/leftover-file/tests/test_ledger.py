import invoices


def test_a_new_ledger_starts_at_nothing():
    assert invoices.last_number() == 0


def test_long_numbers_keep_their_digits():
    assert invoices.label(123456) == "R-123456"
