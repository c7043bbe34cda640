import pytest
from blog.models import Post
from django.db import IntegrityError
from django.test import TestCase

pytestmark = pytest.mark.django_db


def test_a_post_is_kept():
    Post.objects.create(title="hello")
    assert Post.objects.get().title == "hello"


def test_there_is_nothing_at_first():
    assert not Post.objects.exists()


def test_titles_are_unique():
    Post.objects.create(title="hello")
    with pytest.raises(IntegrityError):
        Post.objects.create(title="hello")


@pytest.mark.django_db(transaction=True)
def test_what_is_committed_is_flushed():
    Post.objects.create(title="hello")
    assert Post.objects.count() == 1


class TestTitles(TestCase):
    @classmethod
    def setUpTestData(cls):
        Post.objects.create(title="first")

    def test_one(self):
        Post.objects.create(title="second")
        assert Post.objects.count() == 2

    def test_another(self):
        assert Post.objects.count() == 1
