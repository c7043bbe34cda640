"""Customers of a shop, in PostgreSQL."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_engine("postgresql+psycopg://postgres@127.0.0.1/shop")


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"

    name: Mapped[str] = mapped_column(primary_key=True)


def create_schema():
    """Makes the tables that are not there."""
    Base.metadata.create_all(engine)
