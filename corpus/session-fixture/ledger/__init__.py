def balance(entries):
    return sum(amount for _, amount in entries)


def by_account(entries, account):
    return [amount for name, amount in entries if name == account]
