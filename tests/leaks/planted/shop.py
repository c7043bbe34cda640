"""State of a small project, of as many sorts as there are."""

import collections
import contextvars
import functools
import itertools
import threading

RATE = 0.19
CONFIG = {"currency": "EUR"}
ORDERS = []
TAGS = set()
RECENT = collections.deque(maxlen=10)
COUNTS = collections.Counter()
BUFFER = bytearray(b"ab")
LOCK = threading.Lock()
LOCAL = threading.local()
LOCAL.user = None
NUMBERS = itertools.count(1)
PRICES = iter([1, 2, 3])
TENANT = contextvars.ContextVar("tenant", default="main")


class Cart:
    limit = 10
    seen = []  # noqa: RUF012

    def total(self):
        return 7


class Slotted:
    __slots__ = ("value",)

    def __init__(self):
        self.value = 0


class Node:
    def __init__(self):
        self.children = {}


TREE = Node()
TREE.children["left"] = Node()
SLOTTED = Slotted()
DEFAULT_CART = Cart()
REGISTRY = {}


def collect(item, into=[]):  # noqa: B006
    into.append(item)
    return into


def counter():
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    return step


STEP = counter()


def price(name):
    return len(name)


@functools.cache
def square(number):
    return number * number


def register(name):
    def decorate(function):
        REGISTRY[name] = function
        return function

    return decorate
