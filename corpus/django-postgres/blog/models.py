"""What is written."""

from django.db import models


class Post(models.Model):
    """A post."""

    title = models.CharField(max_length=80, unique=True)
