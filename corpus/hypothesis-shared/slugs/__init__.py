_TAKEN = set()


def slugify(title):
    return "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")


def reserve(slug):
    _TAKEN.add(slug)


def is_free(slug):
    return slug not in _TAKEN
