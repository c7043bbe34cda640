import flags


def test_beta_can_be_enabled():
    flags.enable("beta")
    assert flags.enabled("beta")


def test_search_is_on():
    assert flags.enabled("search")
