import pool


def test_jitter_spreads_delays():
    pool.configure(jitter=3)
    assert pool.delay(10) in (10, 13)


def test_other_settings_do_no_harm():
    pool.configure(size=4)
    assert pool.delay(0) in (0, 3)
