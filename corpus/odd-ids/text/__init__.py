_LAST = []


def normalise(text):
    _LAST.append(text)
    return " ".join(text.split())


def history():
    return list(_LAST)


def forget():
    del _LAST[:]
