import shop
from pytest_bdd import given, parsers, scenarios, then, when

scenarios("features")


@given("a shop")
def a_shop():
    return shop


@when("I add an apple")
def add():
    shop.BASKET.append("apple")


@then("the basket holds some items")
def some():
    assert shop.BASKET


@then(parsers.parse("the basket holds {n:d} items"))
def holds(n):
    assert len(shop.BASKET) == n
