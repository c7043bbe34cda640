import audit


def test_quietly_returns_the_action():
    assert audit.quietly("copy") == "copy"


def test_the_log_has_a_name():
    assert audit.LOG.name == "audit"
