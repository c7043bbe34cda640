import thumbnails


def test_pictures_are_png_files():
    assert thumbnails.store("dog", b"woof").name == "dog.png"
