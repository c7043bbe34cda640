import templates_app


def test_welcome():
    assert templates_app.template("welcome").startswith("Welcome")


def test_placeholder():
    assert "{name}".format(name="Mia") == "Mia"
