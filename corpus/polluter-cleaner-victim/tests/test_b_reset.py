import flags


def test_reset_brings_the_defaults_back():
    flags.enable("chat")
    flags.reset()
    assert not flags.enabled("chat")
