import locks


def test_a_lock_can_be_held():
    locks.hold()
    assert locks._LOCK.locked()


def test_a_lock_can_be_tried():
    held = locks.hold()
    if held:
        locks.release()
    assert held in (True, False)
