import asyncio

from runner import run


async def answer():
    return 42


def test_a_loop_is_closed_at_the_end():
    loop = asyncio.get_event_loop()
    assert loop.run_until_complete(answer()) == 42
    loop.close()
    assert loop.is_closed()


def test_answer():
    coroutine = answer()
    try:
        assert run(coroutine) == 42
    finally:
        coroutine.close()


def test_answer_twice():
    for _ in range(2):
        coroutine = answer()
        try:
            assert run(coroutine) == 42
        finally:
            coroutine.close()
