import stock


def test_goods_come_in():
    assert stock.book("in", 5) == 5
