import cart


def test_an_article_is_added():
    cart.add("zoe", "lamp")
    assert cart.articles("zoe") == ["lamp"]


def test_articles_keep_their_order():
    cart.add("zoe", "chair")
    cart.add("zoe", "table")
    assert cart.articles("zoe") == ["chair", "table"]


def test_nobody_has_a_cart_at_first():
    assert cart.names() == []


def test_who_has_a_cart_is_named():
    cart.add("zoe", "lamp")
    cart.add("bob", "lamp")
    assert cart.names() == ["bob", "zoe"]
