import flags


def test_visitors_see_no_beta():
    assert not flags.enabled("beta")


def test_visitors_see_no_chat():
    assert not flags.enabled("chat")
