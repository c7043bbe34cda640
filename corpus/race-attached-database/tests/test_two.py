import shop


def test_two_orders_are_archived():
    with shop.open_day() as day:
        before = shop.archived(day)
        shop.sell(day, "tea")
        shop.sell(day, "jam")
        shop.close_day(day)
        assert shop.archived(day) == before + 2
