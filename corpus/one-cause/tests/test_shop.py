import billing


def test_a_shop_abroad():
    billing.set_rate(25)
    assert billing.gross(100) == 125


def test_a_reset_shop():
    billing.reset()
    assert billing.gross(100) == 120
