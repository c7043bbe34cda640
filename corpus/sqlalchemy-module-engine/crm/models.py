from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Customer(Base):
    __tablename__ = "customers"
    id = Column(Integer, primary_key=True)
    name = Column(String, unique=True)
    city = Column(String, default="Bern")


def add(session, name, **values):
    customer = Customer(name=name, **values)
    session.add(customer)
    session.commit()
    return customer


def in_city(session, city):
    return [row.name for row in session.query(Customer).filter_by(city=city).order_by(Customer.name)]
