from geo import third


def test_a_third_of_ten_is_precise():
    assert len(str(third(10))) > 20


def test_a_third_of_three():
    assert third(3) == 1
