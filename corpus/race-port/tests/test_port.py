import server


def test_port_needs_no_privilege():
    assert server.PORT > 1024
