"""Prices with tax; the rate is a setting of the process."""

_SETTINGS = {"rate": 20, "currency": "EUR"}


def set_rate(percent):
    _SETTINGS["rate"] = percent


def reset():
    _SETTINGS["rate"] = 20


def tax(net):
    return net * _SETTINGS["rate"] // 100


def gross(net):
    return net + tax(net)


def label(net):
    return f"{gross(net)} {_SETTINGS['currency']}"
