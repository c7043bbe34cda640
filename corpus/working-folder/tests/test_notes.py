from pathlib import Path

import notes


def test_export(tmp_path):
    notes.export("milk", tmp_path)
    assert (tmp_path / "note.txt").read_text() == "milk"


def test_paths():
    assert Path("note.txt").suffix == ".txt"
