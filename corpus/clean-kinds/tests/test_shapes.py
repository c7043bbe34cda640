import sys
import unittest

import pytest

from shapes import area


@pytest.mark.skip(reason="not on this planet")
def test_skipped():
    raise AssertionError


@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert area(1, 1) == 2


@pytest.mark.xfail(reason="mended since")
def test_passes_although_expected_to_fail():
    assert area(1, 1) == 1


@pytest.mark.skipif(sys.version_info < (3, 0), reason="old")
def test_runs():
    assert area(2, 2) == 4


class TestClass:
    @pytest.fixture(scope="class")
    def width(self):
        return 3

    def test_width(self, width):
        assert area(width, 1) == 3

    def test_height(self, width):
        assert area(1, width) == 3


class CaseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.width = 5

    def test_area(self):
        self.assertEqual(area(self.width, 2), 10)

    def test_each(self):
        for width in range(3):
            with self.subTest(width=width):
                self.assertEqual(area(width, 1), width)
