_STATE = {"indent": 0}


def line(text):
    shown = " " * _STATE["indent"] + text
    _STATE["indent"] = 0
    return shown


def indent(by):
    _STATE["indent"] = by
