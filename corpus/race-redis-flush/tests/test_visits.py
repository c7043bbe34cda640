import sessions


def test_the_first_visit_is_the_first():
    sessions.client.flushall()
    assert sessions.visit() == 1
