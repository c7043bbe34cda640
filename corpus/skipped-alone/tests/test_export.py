import pytest
import shop


def test_an_export_holds_one_order():
    if not shop.STATE["open"]:
        pytest.skip("the shop is closed")
    assert shop.order() == 1
