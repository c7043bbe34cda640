def test_sum_of_primes(unpacked):
    assert sum(unpacked.primes()) == 17
