import os

_MODE = {"strict": False}


def strict(on):
    _MODE["strict"] = on


def parse(text):
    if _MODE["strict"] and not text:
        os._exit(7)
    return text.split(",") if text else []
