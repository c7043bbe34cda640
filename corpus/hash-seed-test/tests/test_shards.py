from shards import shard, shards


def test_every_key_has_a_shard():
    assert sum(len(keys) for keys in shards("abcdef", 3).values()) == 6


def test_one_shard_takes_all():
    assert shard("anything", 1) == 0


def test_customer_keys_are_on_the_first_shard():
    assert shard("customer", 2) == 0
