import reports


def test_a_report_is_read_back():
    reports.write({"sold": 3})
    assert reports.latest() == {"sold": 3}


def test_a_report_elsewhere(tmp_path):
    path = tmp_path / "other.json"
    reports.write([1], path)
    assert reports.latest(path) == [1]


def test_the_name_of_the_file():
    assert reports.PATH.name == "report.json"
