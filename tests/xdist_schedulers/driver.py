"""Drives pytest-xdist's own scheduler classes on a virtual clock and prints which worker ran what.

Reads cases as JSON from standard input and writes the lists of each to standard output. The stub nodes do what
``xdist.remote.WorkerInteractor`` does with its queue: a test is run once the worker knows what comes after it.
"""

import heapq
import json
import sys
from collections import deque

from xdist.scheduler import (
    EachScheduling,
    LoadFileScheduling,
    LoadGroupScheduling,
    LoadScheduling,
    LoadScopeScheduling,
    WorkStealingScheduling,
)

SCHEDULERS = {
    "load": LoadScheduling,
    "loadscope": LoadScopeScheduling,
    "loadfile": LoadFileScheduling,
    "loadgroup": LoadGroupScheduling,
    "worksteal": WorkStealingScheduling,
    "each": EachScheduling,
}
SHUTDOWN = object()


class Option:
    loadscopereorder = True


class Config:
    option = Option()

    def __init__(self, workers):
        self._values = {"tx": ["popen"] * workers, "maxschedchunk": None}

    def getvalue(self, name):
        return self._values[name]

    getoption = getvalue


class Gateway:
    def __init__(self, name):
        self.id = name
        self.spec = name


class Node:
    def __init__(self, run, number):
        self.run = run
        self.number = number
        self.gateway = Gateway(f"gw{number}")
        self.queue = deque()
        self.held = None
        self.running = None
        self.ended = False
        self.shutting_down = False
        self.ran = []

    def send_runtest_some(self, indices):
        self.queue.extend(indices)
        self.advance()

    def send_runtest_all(self):
        self.send_runtest_some(range(len(self.run.ids)))

    def send_steal(self, indices):
        wanted = set(indices)
        stolen = [item for item in self.queue if item in wanted]
        if len(stolen) == len(wanted):
            self.queue = deque(item for item in self.queue if item not in wanted)
        else:
            stolen = []
        self.run.given_back.append((self, stolen))

    def shutdown(self):
        self.shutting_down = True
        self.queue.append(SHUTDOWN)
        self.advance()

    def advance(self):
        while self.running is None and not self.ended and self.queue:
            following = self.queue.popleft()
            if self.held is None:
                self.ended = following is SHUTDOWN
                self.held = None if self.ended else following
            else:
                self.running = (self.held, following)
                self.ran.append(self.held)
                end = self.run.now + self.run.durations[self.held]
                heapq.heappush(self.run.ends, (end, self.number))

    def end(self):
        item, following = self.running
        self.running = None
        self.ended = following is SHUTDOWN
        self.held = None if self.ended else following
        self.advance()
        return item


class Run:
    def __init__(self, case):
        self.ids = case["ids"]
        self.durations = case["durations"]
        self.now = 0
        self.ends = []
        self.given_back = deque()
        self.nodes = [Node(self, number) for number in range(case["workers"])]
        self.scheduler = SCHEDULERS[case["mode"]](Config(case["workers"]))

    def lists(self):
        scheduler = self.scheduler
        for node in self.nodes:
            scheduler.add_node(node)
        for node in self.nodes:
            scheduler.add_node_collection(node, self.ids)
        scheduler.schedule()
        shut_down = False
        while True:
            if not shut_down and scheduler.tests_finished:
                shut_down = True
                for node in scheduler.nodes:
                    node.shutdown()
            if self.given_back:
                node, indices = self.given_back.popleft()
                scheduler.remove_pending_tests_from_node(node, indices)
            elif self.ends:
                self.now, number = heapq.heappop(self.ends)
                node = self.nodes[number]
                item = node.end()
                scheduler.mark_test_complete(node, item, self.durations[item] / 1000)
            else:
                return [node.ran for node in self.nodes]


def main():
    json.dump([Run(case).lists() for case in json.load(sys.stdin)], sys.stdout)


main()
