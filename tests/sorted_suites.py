"""What is learnt of a plugin that sorts by hidden rules: told of a few orders, it admits no other than the plugin does.

Run by tests/sorted_suites.rs with the harness on the path and a count of rounds.
"""

import random
import sys
from functools import partial

from jostle_harness.precedence import Precedence


def by_rank(ranks, order):
    return sorted(order, key=ranks.__getitem__)


def by_rules(rules, order):
    """Always the first test that no rule holds back."""
    left, answer = list(order), []
    while left:
        test = next(test for test in left if not any(before in left for before in rules[test]))
        left.remove(test)
        answer.append(test)
    return answer


def learnt(sort, size, generator):
    collected = list(range(size))
    orders = [collected, collected[::-1], *(generator.sample(collected, size) for _ in range(4))]
    return Precedence([(order, sort(order)) for order in orders])


def main(rounds):
    generator = random.Random(5)
    for _ in range(rounds):
        size = generator.randrange(2, 30)
        ranks = [generator.randrange(4) for _ in range(size)]
        found = learnt(partial(by_rank, ranks), size, generator)
        assert not found.edges, "ranks tell all"
        order = generator.sample(range(size), size)
        assert found.sorted(order) == by_rank(ranks, order)

        hidden = generator.sample(range(size), size)
        rules = [set() for _ in range(size)]
        for _ in range(generator.randrange(size)):
            before, after = sorted(generator.sample(range(size), 2))
            rules[hidden[after]].add(hidden[before])
        found = learnt(partial(by_rules, rules), size, generator)
        admitted = found.sorted(order)
        assert by_rules(rules, admitted) == admitted, "it is left as it is"
        assert found.sorted(admitted) == admitted

        free = learnt(list, size, generator)
        assert not free.edges and not free.ranks, "nothing is imposed where nothing is sorted"
    print(f"{rounds} rounds hold")


main(int(sys.argv[1]))
