import random

random.seed(42)


def walk(steps):
    return sum(random.choice([-1, 1]) for _ in range(steps))


def test_walk_stays_near():
    assert abs(walk(100)) <= 14


def test_no_steps_lead_nowhere():
    assert walk(0) == 0
