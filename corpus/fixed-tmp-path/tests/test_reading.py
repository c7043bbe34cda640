import reports


def test_no_report_yet():
    assert reports.latest() is None


def test_another_place(tmp_path):
    assert reports.latest(tmp_path / "none.json") is None
