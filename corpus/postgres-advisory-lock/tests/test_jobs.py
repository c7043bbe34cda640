import jobs


def test_a_job_is_started():
    with jobs.engine.connect() as connection:
        assert jobs.start(connection, "invoices")


def test_a_job_is_stopped():
    with jobs.engine.connect() as connection:
        assert jobs.start(connection, "mail")
        jobs.stop(connection, "mail")


def test_a_job_that_is_free_starts_once():
    with jobs.engine.connect() as one, jobs.engine.connect() as other:
        assert jobs.start(one, "mail")
        assert not jobs.start(other, "mail")
        jobs.stop(one, "mail")


def test_nobody_else_makes_invoices():
    with jobs.engine.connect() as connection, jobs.engine.connect() as own:
        assert jobs.start(own, "invoices")
        jobs.stop(own, "invoices")
        assert jobs.start(connection, "mail")
        jobs.stop(connection, "mail")
