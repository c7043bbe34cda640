_REGISTRY = {}


def register(name, function):
    _REGISTRY[name] = function


def run(name, value):
    return _REGISTRY[name](value)


def setup_defaults():
    register("upper", str.upper)
    register("lower", str.lower)
