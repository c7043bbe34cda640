import visits


def test_two_visits_are_counted():
    before = visits.count()
    visits.visit()
    visits.visit()
    assert visits.count() == before + 2
