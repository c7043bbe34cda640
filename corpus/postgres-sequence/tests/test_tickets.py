from desk import Ticket, opened


def test_a_ticket_is_opened(session):
    ticket = opened(session, "printer")
    session.commit()
    assert session.get(Ticket, ticket.id).about == "printer"


def test_the_first_ticket_is_number_one(session):
    assert opened(session, "chair").id == 1


def test_nothing_is_open(session):
    assert session.query(Ticket).count() == 0
