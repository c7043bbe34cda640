import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "thumbnails"


def folder():
    if not FOLDER.exists():
        FOLDER.mkdir()
    return FOLDER


def store(name, picture):
    path = folder() / f"{name}.png"
    path.write_bytes(picture)
    return path
