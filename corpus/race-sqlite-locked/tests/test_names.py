import stock


def test_name_of_the_database():
    assert stock.PATH.name == "stock.db"
