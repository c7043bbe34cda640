import counter


def test_second_value_is_kept():
    counter.write(2)
    counter.pause()
    assert counter.read() == 2
