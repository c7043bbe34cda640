from app import state


def test_login_is_saved():
    state.save({"user": "ann", "roles": ["reader", "writer"]})
    assert state.load()["user"] == "ann"


def test_upper():
    assert "ann".upper() == "ANN"
