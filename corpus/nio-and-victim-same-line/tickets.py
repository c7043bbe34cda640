_drawn = []


def draw(name):
    _drawn.append(name)
    return len(_drawn)
