from django.core.cache import cache
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=20)


def count():
    n = cache.get("count")
    if n is None:
        n = Item.objects.count()
        cache.set("count", n)
    return n
