import unittest

from queue_app import Queue


class QueueTest(unittest.TestCase):
    queue = Queue(["a", "b"])

    def test_first_job(self):
        self.assertEqual(self.queue.jobs[0], "a")

    def test_length(self):
        self.assertEqual(len(self.queue), 2)

    def test_push_puts_last(self):
        self.queue.push("c")
        self.assertEqual(self.queue.jobs[-1], "c")


class EmptyQueueTest(unittest.TestCase):
    def setUp(self):
        self.queue = Queue()

    def test_is_empty(self):
        self.assertEqual(len(self.queue), 0)

    def test_push(self):
        self.queue.push("x")
        self.assertEqual(self.queue.jobs, ["x"])
