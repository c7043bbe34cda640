import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "spool"


def put(name, text):
    path = FOLDER / name
    path.write_text(text)
    return path


def names():
    return sorted(path.name for path in FOLDER.iterdir())
