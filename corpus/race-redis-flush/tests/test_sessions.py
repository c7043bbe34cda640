import sessions


def test_who_logs_in_is_there():
    sessions.login(1, "zoe")
    assert sessions.who(1) == "zoe"


def test_nobody_is_there_by_another_number():
    assert sessions.who(7) is None
