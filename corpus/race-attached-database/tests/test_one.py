import shop


def test_an_order_is_archived():
    with shop.open_day() as day:
        before = shop.archived(day)
        shop.sell(day, "tea")
        shop.close_day(day)
        assert shop.archived(day) == before + 1
