import random

random.seed(137)


def test_mean_of_draws():
    draws = [random.random() for _ in range(100)]
    assert 0.3 < sum(draws) / len(draws) < 0.7


def test_draws_are_in_range():
    draws = [random.random() for _ in range(50)]
    assert all(0 <= draw < 1 for draw in draws)
