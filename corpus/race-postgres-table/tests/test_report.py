import report


def test_there_is_no_line_at_first(office):
    assert report.lines(office) == 0


def test_a_line_is_added(office):
    report.add(office, "total")
    assert report.lines(office) == 1
