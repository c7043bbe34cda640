import outbox


def test_a_single_message_is_alone():
    assert outbox.collect("alone", into=outbox.collect.__defaults__[0])[0] == "alone"


def test_no_messages():
    assert outbox.size([]) == 0
