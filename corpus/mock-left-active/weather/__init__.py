def fetch(city):
    return {"bern": 12, "rome": 21}[city]


def warmer(one, other):
    return fetch(one) > fetch(other)
