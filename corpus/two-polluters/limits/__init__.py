class Limits:
    def __init__(self):
        self.enforced = False
        self.most = 100


LIMITS = Limits()


def order(quantity):
    if LIMITS.enforced and quantity > LIMITS.most:
        raise ValueError(f"at most {LIMITS.most}")
    return quantity
