import settings


def test_language_is_english():
    assert settings.load()["language"] == "en"
