import settings


def test_defaults_have_a_theme():
    assert settings.DEFAULTS["theme"] == "light"
