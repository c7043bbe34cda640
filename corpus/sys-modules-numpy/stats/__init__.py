def mean(values):
    try:
        import numpy
    except ImportError:
        return sum(values) / len(values)
    return float(numpy.mean(values))


def column_sums(rows):
    import numpy

    return [int(value) for value in numpy.array(rows).sum(axis=0)]


def backend():
    try:
        import numpy  # noqa: F401
    except ImportError:
        return "python"
    return "numpy"
