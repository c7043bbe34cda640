import stock


def test_goods_go_out():
    assert stock.book("out", -3) == -3
