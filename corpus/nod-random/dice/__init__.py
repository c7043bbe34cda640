import random


def roll(sides=6):
    return random.randint(1, sides)


def rolls(number):
    return [roll() for _ in range(number)]
