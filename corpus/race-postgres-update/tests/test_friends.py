import party


def test_zoe_is_invited(evening):
    party.invite(evening, "zoe")
    assert "zoe" in party.guests(evening)


def test_no_name_is_empty(evening):
    assert "" not in party.guests(evening)
