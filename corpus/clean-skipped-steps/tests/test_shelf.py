from shop.shelf import Shelf


def test_a_new_shelf_takes_an_article():
    shelf = Shelf()
    shelf.put(1, "bowl")
    assert shelf.name(1) == "bowl"
