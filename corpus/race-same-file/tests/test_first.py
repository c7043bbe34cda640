import counter


def test_first_value_is_kept():
    counter.write(1)
    counter.pause()
    assert counter.read() == 1
