"""What is learnt of a plugin that sorts by hidden rules: told of a few orders, it admits no other than the plugin does."""

from __future__ import annotations

import random
from functools import partial
from typing import Callable, List, Set, Tuple

import pytest
from jostle_harness import limits
from jostle_harness.precedence import Precedence

Order = List[int]


def by_rank(ranks: List[int], order: Order) -> Order:
    return sorted(order, key=ranks.__getitem__)


def by_rules(rules: List[Set[int]], order: Order) -> Order:
    """Always the first test that no rule holds back."""
    left, answer = list(order), []
    while left:
        test = next(test for test in left if not any(before in left for before in rules[test]))
        left.remove(test)
        answer.append(test)
    return answer


def learnt(sort: Callable[[Order], Order], size: int, generator: random.Random) -> Precedence:
    collected = list(range(size))
    orders = [collected, collected[::-1], *(generator.sample(collected, size) for _ in range(4))]
    return Precedence([(order, sort(order)) for order in orders])


@pytest.fixture(params=range(200))
def drawn(request: pytest.FixtureRequest) -> Tuple[random.Random, int]:
    """A generator, and a number of tests."""
    generator = random.Random(request.param)
    return generator, generator.randrange(2, 30)


def test_ranks_tell_all(drawn: Tuple[random.Random, int]) -> None:
    generator, size = drawn
    ranks = [generator.randrange(4) for _ in range(size)]
    found = learnt(partial(by_rank, ranks), size, generator)
    order = generator.sample(range(size), size)
    assert not found.edges
    assert found.sorted(order) == by_rank(ranks, order)


def test_an_order_that_is_brought_to_hidden_rules_is_left_as_it_is(drawn: Tuple[random.Random, int]) -> None:
    generator, size = drawn
    hidden = generator.sample(range(size), size)
    rules: List[Set[int]] = [set() for _ in range(size)]
    for _ in range(generator.randrange(size)):
        before, after = sorted(generator.sample(range(size), 2))
        rules[hidden[after]].add(hidden[before])
    found = learnt(partial(by_rules, rules), size, generator)
    admitted = found.sorted(generator.sample(range(size), size))
    assert by_rules(rules, admitted) == admitted
    assert found.sorted(admitted) == admitted


def test_nothing_is_imposed_where_nothing_is_sorted(drawn: Tuple[random.Random, int]) -> None:
    generator, size = drawn
    found = learnt(list, size, generator)
    assert not found.edges and not found.ranks


def test_no_more_is_imposed_than_what_all_orders_show() -> None:
    rules: List[Set[int]] = [set() for _ in range(12)]
    rules[3] = {7}
    found = learnt(partial(by_rules, rules), 12, random.Random(1))
    assert (found.edges, found.ranks) == ([(7, 3)], [])
    assert found.sorted([3, 11, 7, 0, 1, 2, 4, 5, 6, 8, 9, 10]) == [11, 7, 3, 0, 1, 2, 4, 5, 6, 8, 9, 10]


def test_of_too_many_rules_only_the_order_that_was_seen_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_EDGES", 1)
    rules = [set(), {0}, set(), {2}, set(), {4}]
    found = learnt(partial(by_rules, rules), 6, random.Random(1))
    assert not found.edges
    assert found.sorted([5, 4, 3, 2, 1, 0]) == [0, 1, 2, 3, 4, 5]
