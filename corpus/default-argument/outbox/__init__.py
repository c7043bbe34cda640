def collect(message, into=[]):
    into.append(message)
    return into


def size(messages):
    return len(messages)
