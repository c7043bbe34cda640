from stock import take


def test_pens_and_ink_are_sold():
    take(["pen", "ink"])


def test_ink_and_pens_are_sold():
    take(["ink", "pen"])


def test_nothing_is_sold():
    take([])
