from mailer import Mailer, welcome


def test_welcome_goes_to_the_newcomer():
    assert welcome("ann@example.org")["to"] == "ann@example.org"


def test_welcome_is_sent_by_nobody_in_particular():
    assert welcome("bob@example.org")["from"] == "noreply@example.org"


def test_one_mailer_for_all():
    assert Mailer.instance() is Mailer.instance()
