import tickets


def test_the_first_ticket_is_number_one():
    assert tickets.draw("ann") == 1


def test_a_ticket_has_a_number():
    assert tickets.draw("bob") > 0


def test_names_are_words():
    assert "ann".isalpha()
