import party


def test_bob_is_invited(evening):
    party.invite(evening, "bob")
    assert "bob" in party.guests(evening)
