import os

_SETTINGS = {"jitter": 0}


def configure(**values):
    _SETTINGS.update(values)


def delay(base):
    spread = _SETTINGS["jitter"]
    return base + (os.urandom(1)[0] % 2) * spread
