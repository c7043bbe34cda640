class TestBroken
    pass
