import invoices


def test_numbers_go_up():
    first = invoices.issue()
    assert invoices.issue() == first + 1


def test_label():
    assert invoices.label(7) == "R-00007"
