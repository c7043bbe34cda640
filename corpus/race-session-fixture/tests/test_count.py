def test_there_are_four_primes(unpacked):
    assert len(unpacked.primes()) == 4
