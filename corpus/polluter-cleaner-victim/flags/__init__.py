_DEFAULTS = {"search": True, "chat": False, "beta": False}
_flags = dict(_DEFAULTS)


def enabled(name):
    return _flags[name]


def enable(name):
    _flags[name] = True


def reset():
    _flags.update(_DEFAULTS)
