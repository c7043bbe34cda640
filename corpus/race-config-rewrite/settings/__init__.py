import json
import tempfile
from pathlib import Path

PATH = Path(tempfile.gettempdir()) / "settings.json"
DEFAULTS = {"language": "en", "theme": "light"}


def save(settings):
    with PATH.open("w") as file:
        json.dump(settings, file)


def load():
    if not PATH.exists():
        return dict(DEFAULTS)
    with PATH.open() as file:
        return json.load(file)
