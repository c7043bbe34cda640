import notes


def test_the_licence_is_there():
    assert notes.licence().startswith("Free")
