"""Tasks that several connections of a pool work on."""

from contextlib import ExitStack

from sqlalchemy import create_engine, text

engine = create_engine("postgresql+psycopg://postgres@127.0.0.1/tasks", pool_size=6)


def shares(total, hands):
    """A total is shared out to as many connections, which reckon at once."""
    with ExitStack() as stack:
        connections = [stack.enter_context(engine.connect()) for _ in range(hands)]
        asked = text("SELECT (:total + :hands - 1 - :number) / :hands")
        return [
            one.scalar(asked, {"total": total, "hands": hands, "number": number})
            for number, one in enumerate(connections)
        ]
