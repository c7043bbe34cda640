import waiting_room


def test_arrive():
    waiting_room.arrive("Ada")
    assert waiting_room.waiting() == ["Ada"]


def test_look_does_not_call():
    before = waiting_room.waiting()
    assert waiting_room.waiting() == before


def test_ada_is_still_there():
    assert "Ada" in waiting_room.waiting()
