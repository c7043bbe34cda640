import asyncio

HANDLERS = []


class Bus:
    def __init__(self):
        self.queue = asyncio.Queue()
