import settings


def test_theme_is_saved():
    settings.save({**settings.DEFAULTS, "theme": "dark"})
    assert settings.PATH.exists()
