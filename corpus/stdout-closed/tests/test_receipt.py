import io
import sys
from unittest import TestCase

from receipts import print_receipt, total

ITEMS = [("tea", 2.5), ("scone", 3.0)]


class Captured(TestCase):
    def setUp(self):
        sys.stdout = io.StringIO()

    def tearDown(self):
        sys.stdout.close()
        sys.stdout = sys.__stdout__


class TestReceipt(Captured):
    def setUp(self):
        self.items = list(ITEMS)

    def test_prints_each_item(self):
        Captured.setUp(self)
        print_receipt(self.items)
        self.assertIn("scone", sys.stdout.getvalue())

    def test_total(self):
        self.assertEqual(total(self.items), 5.5)

    def test_total_of_nothing(self):
        self.assertEqual(total([]), 0)
