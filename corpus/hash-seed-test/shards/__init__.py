def shard(key, count):
    return hash(key) % count


def shards(keys, count):
    found = {}
    for key in keys:
        found.setdefault(shard(key, count), []).append(key)
    return found
