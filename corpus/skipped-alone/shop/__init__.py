"""A shop that is open or closed, and the orders of the day."""

STATE = {"open": False, "orders": 0}


def open_shop():
    STATE["open"] = True


def order():
    STATE["orders"] += 1
    return STATE["orders"]
