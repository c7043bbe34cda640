import signals


def test_a_handler_answers():
    signals.connect(signals.squares)
    assert signals.emit(3) == [9]


def test_squares():
    assert signals.squares(4) == 16


def test_no_squares_of_nothing():
    assert signals.squares(0) == 0
