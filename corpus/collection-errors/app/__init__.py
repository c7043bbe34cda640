VERSION = 3


def double(value):
    return 2 * value
