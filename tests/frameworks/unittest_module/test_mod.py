import unittest

SETTINGS = None


def setUpModule():
    global SETTINGS
    SETTINGS = {"debug": False}


def tearDownModule():
    global SETTINGS
    SETTINGS = None


class Reads(unittest.TestCase):
    def test_debug_is_off(self):
        self.assertFalse(SETTINGS["debug"])

    def test_there_is_one(self):
        self.assertEqual(len(SETTINGS), 1)


class Writes(unittest.TestCase):
    def test_debug_on(self):
        SETTINGS["debug"] = True

    def test_sub(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertLess(i, 5)
