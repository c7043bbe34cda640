def by_price(items):
    return sorted(items, key=lambda item: item["price"])


def discount(items, percent):
    for item in items:
        item["price"] -= item["price"] * percent // 100
    return items
