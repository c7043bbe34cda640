import outbox


def test_a_first_message():
    assert outbox.collect("hello")[-1] == "hello"


def test_into_a_list_of_ones_own():
    assert outbox.collect("hello", []) == ["hello"]


def test_size():
    assert outbox.size([1, 2]) == 2
