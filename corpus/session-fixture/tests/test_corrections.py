from ledger import by_account


def test_a_refund_is_an_entry_of_its_own(entries):
    entries.append(("rent", 50))
    assert by_account(entries, "rent")[:2] == [-900, 50]


def test_salary(entries):
    assert by_account(entries, "salary") == [2500]
