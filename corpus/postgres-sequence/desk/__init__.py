"""Numbered tickets, in PostgreSQL."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql+psycopg://postgres@127.0.0.1/desk")


class Base(DeclarativeBase):
    pass


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    about: Mapped[str]


def opened(session, about):
    """A new ticket, with its number."""
    ticket = Ticket(about=about)
    session.add(ticket)
    session.flush()
    return ticket
