from export import csv


def test_rows_are_lines():
    assert csv([[1], [2]]).splitlines() == ["1", "2"]


def test_cells_are_separated():
    assert csv([[1, 2]]) == "1,2"


def test_nothing():
    assert csv([]) == ""


def test_target_is_named_out(target):
    assert target.name == "out.csv"
