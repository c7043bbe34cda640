import visits


def test_a_visit_is_counted():
    before = visits.count()
    visits.visit()
    assert visits.count() == before + 1
