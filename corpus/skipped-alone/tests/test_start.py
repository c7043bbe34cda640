import shop


def test_the_shop_opens():
    shop.open_shop()
    assert shop.STATE["open"]
