import plugins_app


def test_defaults_are_registered():
    plugins_app.setup_defaults()
    assert plugins_app.run("lower", "A") == "a"


def test_a_function_of_ours():
    plugins_app.register("twice", lambda value: value * 2)
    assert plugins_app.run("twice", "ab") == "abab"
