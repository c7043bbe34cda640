from mailer import Mailer


def test_partner_mails_come_from_the_partner():
    mailer = Mailer.instance()
    mailer.sender = "hello@partner.example"
    assert mailer.send("cy@example.org", "Hi")["from"] == "hello@partner.example"


def test_a_mailer_of_its_own():
    mailer = Mailer()
    mailer.sender = "x@example.org"
    assert mailer.send("cy@example.org", "Hi")["from"] == "x@example.org"


def test_subject_is_kept():
    assert Mailer().send("cy@example.org", "Hi")["subject"] == "Hi"
