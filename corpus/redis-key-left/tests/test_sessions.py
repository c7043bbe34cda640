import sessions


def test_who_logs_in_is_there():
    sessions.login("zoe")
    assert "zoe" in sessions.who()


def test_who_logs_out_is_gone():
    sessions.login("bob")
    sessions.logout("bob")
    assert "bob" not in sessions.who()


def test_nobody_is_there_at_first():
    assert sessions.who() == []
