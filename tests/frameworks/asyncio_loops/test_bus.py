import asyncio


async def test_empty(bus):
    assert bus.queue.empty()


async def test_sleep(bus):
    await asyncio.sleep(0)


async def test_publish(bus):
    await bus.queue.put(1)
    assert bus.queue.qsize() >= 1


async def test_other():
    assert asyncio.get_running_loop()
