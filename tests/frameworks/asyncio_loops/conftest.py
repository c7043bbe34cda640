import pytest_asyncio
from bus import Bus


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bus():
    yield Bus()
