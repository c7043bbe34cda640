import os


def token(length=8):
    return os.urandom(length).hex()


def bucket(size):
    return os.urandom(1)[0] % size
