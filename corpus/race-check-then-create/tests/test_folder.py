import thumbnails


def test_folder_is_named_for_what_is_in_it():
    assert thumbnails.FOLDER.name == "thumbnails"
