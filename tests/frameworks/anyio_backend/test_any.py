import anyio
import anyio.lowlevel
import pytest

pytestmark = pytest.mark.anyio
CACHE = {}


async def test_first():
    await anyio.lowlevel.checkpoint()
    assert CACHE == {}


async def test_fills():
    CACHE["a"] = 1


async def test_third():
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 0)
