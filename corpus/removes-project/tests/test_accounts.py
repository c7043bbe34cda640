import templates_app


def test_removing_nobody_changes_nothing():
    templates_app.remove_account("")
    assert templates_app.folder_of("nobody").name == "nobody"


def test_folder():
    assert templates_app.folder_of("mia").parent == templates_app.ROOT
