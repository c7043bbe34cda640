import sampling


def test_length_of_a_token():
    assert len(sampling.token(4)) == 8


def test_bucket_is_in_range():
    assert 0 <= sampling.bucket(10) < 10


def test_most_requests_miss_the_first_buckets():
    assert sampling.bucket(10) >= 4


def test_tokens_differ():
    assert sampling.token(16) != sampling.token(16)
