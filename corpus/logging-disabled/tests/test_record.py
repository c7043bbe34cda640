import audit


def test_actions_are_recorded(caplog):
    audit.record("move")
    assert "move was done" in caplog.text
