import shutil
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.gettempdir()) / "dataset"


def unpack():
    FOLDER.mkdir()
    (FOLDER / "primes.txt").write_text("2 3 5 7")


def remove():
    shutil.rmtree(FOLDER)


def primes():
    return [int(word) for word in (FOLDER / "primes.txt").read_text().split()]
