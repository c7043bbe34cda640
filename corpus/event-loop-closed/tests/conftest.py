import asyncio

import pytest


@pytest.fixture(scope="session", autouse=True)
def loop():
    asyncio.set_event_loop(asyncio.new_event_loop())
