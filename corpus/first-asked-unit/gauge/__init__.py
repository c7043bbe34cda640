"""Readings of a gauge, in the unit that was asked for first."""

_UNIT = None


def use(unit):
    """The first who asks decides."""
    global _UNIT
    if _UNIT is None:
        _UNIT = unit


def switch(unit):
    """Whoever switches decides."""
    global _UNIT
    _UNIT = unit


def reading(value):
    return f"{value} {_UNIT or 'K'}"
