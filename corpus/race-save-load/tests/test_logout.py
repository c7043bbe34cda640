from app import state


def test_logout_is_saved():
    state.save({"user": None, "roles": []})
    assert state.load()["user"] is None


def test_title():
    assert "ann".title() == "Ann"
