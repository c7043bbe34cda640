from ledger import by_account


def test_food(entries):
    assert by_account(entries, "food") == [-310]


def test_an_unknown_account(entries):
    assert by_account(entries, "boat") == []
