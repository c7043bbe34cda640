import pytest
from shop.models import Item, count

pytestmark = pytest.mark.django_db


def test_none():
    assert count() == 0


def test_one():
    Item.objects.create(name="a")
    assert Item.objects.count() == 1


def test_counts_one():
    Item.objects.create(name="a")
    assert count() >= 0


def test_name():
    assert Item(name="b").name == "b"
