"""From orders and what was made of them to the rules between two tests that explain it."""

from __future__ import annotations

import heapq
from typing import Dict, List, Tuple

from . import limits


class Precedence:
    """Which tests come before which: those that did in all of the orders that were returned.

    ``asked`` holds orders of the tests 0 to n - 1 with what they were sorted into. As a whole order and its reverse are
    among them, tests that nothing is imposed on are seen both ways round.
    """

    def __init__(self, asked: List[Tuple[List[int], List[int]]]) -> None:
        returned = [answer for _, answer in asked]
        blocks = _blocks(returned)
        #: For each test its rank; tests of a lower rank come first. Empty if all have the same.
        self.ranks: List[int] = [0] * len(returned[0])
        #: Pairs of tests of one rank of which the first comes first; those that follow from others are left out.
        self.edges: List[Tuple[int, int]] = []
        for rank, block in enumerate(blocks):
            for test in block:
                self.ranks[test] = rank
        if any(sorted(order, key=self.ranks.__getitem__) != answer for order, answer in asked):
            for block in blocks:
                self.edges += _edges(block, returned)
        if len(self.edges) > limits.MOST_EDGES:
            self.edges = []
            for place, test in enumerate(returned[0]):
                self.ranks[test] = place
        elif len(blocks) == 1:
            self.ranks = []

    def sorted(self, order: List[int]) -> List[int]:
        """The order brought to the rules: always the first test of all that may come next."""
        if self.ranks:
            order = sorted(order, key=self.ranks.__getitem__)
        if not self.edges:
            return order
        place = {test: at for at, test in enumerate(order)}
        missing = [0] * len(order)
        followers: Dict[int, List[int]] = {}
        for before, after in self.edges:
            missing[place[after]] += 1
            followers.setdefault(before, []).append(after)
        ready = [at for at, count in enumerate(missing) if count == 0]
        admitted = []
        while ready:
            test = order[heapq.heappop(ready)]
            admitted.append(test)
            for after in followers.get(test, []):
                missing[place[after]] -= 1
                if missing[place[after]] == 0:
                    heapq.heappush(ready, place[after])
        return admitted


def _blocks(orders: List[List[int]]) -> List[List[int]]:
    """The finest parts that all orders run one after the other."""
    place = {test: at for at, test in enumerate(orders[0])}
    furthest = list(range(len(place)))
    for order in orders[1:]:
        reached = -1
        for at, test in enumerate(order):
            reached = max(reached, place[test])
            furthest[at] = max(furthest[at], reached)
    blocks: List[List[int]] = [[]]
    for at, test in enumerate(orders[0]):
        blocks[-1].append(test)
        if furthest[at] == at:
            blocks.append([])
    return blocks[:-1]


def _edges(block: List[int], orders: List[List[int]]) -> List[Tuple[int, int]]:
    """The pairs of a block that stand in one order only, without those that follow from others."""
    number = {test: at for at, test in enumerate(block)}
    # The tests before each, as bits: those that are so in all orders.
    before = [-1] * len(block)
    for order in orders:
        passed = 0
        for test in order:
            at = number.get(test)
            if at is not None:
                before[at] &= passed
                passed |= 1 << at
    edges = []
    for at, test in enumerate(block):
        left = before[at]
        while left:
            # The block is in an order that keeps to the rules, so that nothing comes between the last and this one.
            last = left.bit_length() - 1
            edges.append((block[last], test))
            left &= ~(before[last] | 1 << last)
        if len(edges) > limits.MOST_EDGES:
            break
    return edges
