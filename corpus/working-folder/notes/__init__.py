import os
from pathlib import Path


def export(text, folder):
    os.chdir(folder)
    Path("note.txt").write_text(text)


def licence():
    return Path("LICENCE.txt").read_text()
